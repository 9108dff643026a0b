"""Building the kernel: its requirements on this machine, and make with its progress."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TextIO

from lab.errors import MachineError
from lab.events import Emit, Note
from lab.util.files import sha256
from lab.virtual.kernel import edits
from lab.virtual.kernel.source import Source, unpack

CONFIGURATION = edits.ADDITIONS / "configuration"
XSTATE = edits.ADDITIONS.parent / "xstate.c"
PROGRAM, XSTATE_LIBRARY = "linux", "xstate.so"
#: Programs that the build runs, and Debian's package of each.
NEEDED = {
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "xz": "xz-utils",
    "dpkg-deb": "dpkg",
    "strip": "binutils",
    "setpriv": "util-linux",
}
#: Source and objects take 1.4 GB, the package and its archive 0.3 GB (measured: 7.2.12).
DISK = 3 * 10**9
#: Files that are compiled (7.2.12), and roughly what they take one processor (s): gcc 12 on an AMD EPYC.
OBJECTS, WORK = 1056, 1300.0
#: Never part of this kernel: two thirds of the source, but for the files that the configuration reads.
UNUSED = ("drivers/gpu", "drivers/net/ethernet", "drivers/net/wireless", "drivers/media", "sound")
#: Without these there is no virtual time; what else a source does not have is only told.
ESSENTIAL = ("UML_TIME_TRAVEL_SUPPORT", "HOSTFS", "PID_NS", "NET_NS", "NET_SCH_NETEM")


@cache
def compiler() -> str:
    """Return the compiler's name and version; empty without one."""
    if not shutil.which("gcc"):
        return ""
    done = subprocess.run(["gcc", "--version"], capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout.splitlines() or [""])[0]


def lacking() -> list[str]:
    """Return the packages that are missing for a build, in the order of `NEEDED`."""
    return list(dict.fromkeys(package for name, package in NEEDED.items() if not shutil.which(name)))


def minutes() -> float:
    """Return how long a build takes here, roughly (min)."""
    return WORK / 60 / len(os.sched_getaffinity(0))


def check(folder: Path) -> None:
    """Find out whether the kernel can be built in `folder`, before anything is fetched.

    Raises:
        MachineError: this processor, a program or the disk's room does not suffice.
    """
    if platform.machine() != "x86_64":
        raise MachineError(
            f"virtual time needs an x86-64 processor, and this one is {platform.machine()}: "
            "leave out --clock virtual"
        )
    if lack := lacking():
        raise MachineError(
            "the kernel of virtual time cannot be built without more programs: "
            f"apt-get install {' '.join(lack)}"
        )
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if (free := shutil.disk_usage(there).free) < DISK:
        raise MachineError(
            f"the kernel of virtual time needs {DISK / 1e9:.0f} GB in {there} while it is built, and "
            f"{free / 1e9:.1f} GB are free: make room, or set LAB_STATE_DIR to a folder on another disk"
        )


def build(source: Source, path: Path, scratch: Path, emit: Emit) -> Path:
    """Build the kernel from the file `path` in the folder `scratch`; return the folder with what was made.

    Raises:
        MachineError: the source is another one than ours, or the compiler failed; the message has its words.
    """
    cores = len(os.sched_getaffinity(0))
    emit(
        Note(
            f"building the kernel of virtual time from {source}: about {minutes():.0f} minutes on {cores} "
            f"processor{'s' * (cores > 1)}, and {DISK / 1e9:.0f} GB of disk during that; this is done once"
        )
    )
    tree = unpack(path, scratch, UNUSED)
    edits.apply(tree, edits.read_edits(), edits.own_files())
    _configure(tree, emit)
    with (scratch / "build.log").open("w") as log:
        _make(tree, ["vmlinux", "linux"], log, CompileProgress(emit))
    made = scratch / "made"
    made.mkdir()
    _run(["strip", "-o", str(made / PROGRAM), str(tree / "linux")])
    _run(["gcc", "-shared", "-fPIC", "-o", str(made / XSTATE_LIBRARY), str(XSTATE), "-ldl"])
    shutil.copy(tree / ".config", made / "config")
    shutil.copy(tree / "include/config/kernel.release", made / "release")
    return made


def facts(made: Path) -> dict[str, str]:
    """Return the facts about a kernel that was built."""
    release = (made / "release").read_text().strip()
    return {"release": release, "compiler": compiler(), "sha256": sha256(made / PROGRAM)}


def unset(configuration: str, chosen: str) -> list[str]:
    """Return the options of our configuration that the source did not take, without ``CONFIG_``."""
    asked = re.findall(r"^CONFIG_(\w+)=y$", configuration, re.MULTILINE)
    there = set(re.findall(r"^CONFIG_(\w+)=y$", chosen, re.MULTILINE))
    return [option for option in asked if option not in there]


def _configure(tree: Path, emit: Emit) -> None:
    with (tree.parent / "configure.log").open("w") as log:
        _make(tree, ["allnoconfig", f"KCONFIG_ALLCONFIG={CONFIGURATION}"], log)
    lost = unset(CONFIGURATION.read_text(), (tree / ".config").read_text())
    if wrong := [option for option in lost if option in ESSENTIAL]:
        raise MachineError(
            "this kernel's source cannot be configured for virtual time: it does not take "
            f"{', '.join(wrong)}; build from a pinned version (unset LAB_LINUX_SOURCE)"
        )
    if lost:
        emit(Note(f"this kernel is built without {', '.join(lost)}, which its source does not have"))


class CompileProgress:
    """Counts compiled files, and says now and then which share of them is done."""

    def __init__(self, emit: Emit, objects: int = OBJECTS) -> None:
        self._emit, self._objects = emit, objects
        self._done, self._said, self._start = 0, 0, monotonic()

    def line(self, printed: str) -> None:
        """Take a line that make printed."""
        if not printed.startswith("  CC "):
            return
        self._done += 1
        tenths = min(self._done * 10 // self._objects, 9)
        if tenths > self._said:
            self._said, share = tenths, tenths / 10
            left = (monotonic() - self._start) * (1 - share) / share / 60
            self._emit(Note(f"kernel of virtual time: {share:.0%} compiled, about {left:.0f} min left"))


def _make(tree: Path, goals: list[str], log: TextIO, progress: CompileProgress | None = None) -> None:
    """Run make; when this process ends, however, make ends as well."""
    words = ["make", f"-j{len(os.sched_getaffinity(0))}", "ARCH=um", *goals]
    with _running(["setpriv", "--pdeathsig", "TERM", *words], tree) as make:
        assert make.stdout is not None
        last: list[str] = []
        for printed in make.stdout:
            log.write(printed)
            if progress:
                progress.line(printed)
            if "error" in printed.lower() or "***" in printed:
                last.append(printed.strip())
    if make.returncode:
        said = (last or ["nothing"])[0][:300]
        raise MachineError(
            f"building the kernel of virtual time failed (make {goals[0]}, status {make.returncode}): "
            f"{said}; check that gcc and the disk are sound, then try again"
        )


@contextmanager
def _running(argv: list[str], tree: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own; an error in this block, or Ctrl-C, ends all of that session."""
    process = subprocess.Popen(
        argv,
        cwd=tree,
        env=_environment(),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        process.wait()


def _environment() -> dict[str, str]:
    """Nothing of the user's but where programs are; and no date or name, so that two builds are equal."""
    fixed = {"TIMESTAMP": "@0", "USER": "lab", "HOST": "lab", "VERSION": "1"}
    own = {f"KBUILD_BUILD_{name}": value for name, value in fixed.items()}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **own}


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1][:300]
        raise MachineError(f"building the kernel of virtual time failed: {argv[0]}: {said}; try again")
