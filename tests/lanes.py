"""Integration tests side by side, each process in a machine of its own: `python -m tests.lanes [ARGUMENT …]`.

`tests/lane` is a Python for pytest-xdist. It runs in namespaces of its own for mounts, processes, devices and
host name, with folders of its own for labs and for Docker, whose daemon a lab starts there. So tests in it
may compare the whole machine before and after, and this machine's Docker daemon, containers and labs are out
of reach. Processors and memory are shared, and there is no way to other networks.

Tests that measure time (marked `timed`) run afterwards, one after the other, on this machine itself. Where
there can be no such machines, all do.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.emulation.docker.daemon import Daemon, client
from lab.emulation.docker.host_spec import HOST_IMAGE
from lab.emulation.docker.image_store import ENDPOINT_IMAGE, endpoint_store, image_ids
from lab.emulation.light.hosts import image_roots
from lab.errors import MachineError
from lab.events import silent
from lab.icount import kernel, programs
from lab.images.derived import REHEARSAL, ensure_rehearsal
from lab.util.files import replace
from lab.util.paths import STATE
from overlays.flannel import flanneld
from overlays.weave import router
from tests.integration import axe
from tests.paths import ROOT

#: Tests side by side: labs wait most of the time. With more than four, all wait for the longest file.
NUMBER = min(4, max(2, os.cpu_count() or 1))
#: pytest's status where no test is chosen.
NOTHING = 5
NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
#: What lanes have in common: files of images, which are made once, and kernels.
SHARED = ("seed", "roots", "kernels")
LANES = STATE / "lanes"
#: The variable that names a folder that a lane shares with the pytest that began it.
FILES = "LAB_TESTS_FILES"
DOCKER, SYS = Path("/var/lib/docker"), Path("/sys")


def tests(words: list[str]) -> int:
    """Run the integration tests; the words are pytest's. Returns 0 if all passed."""
    pytest = [sys.executable, "-m", "pytest", "tests/integration", "tests/virtual", *words]
    if not possible():
        sys.stdout.write("no machines of their own for tests here (unshare): one after the other\n")
        return subprocess.run(pytest, cwd=ROOT, check=False).returncode
    lanes = ["-p", "no:cacheprovider", f"--tx={NUMBER}*popen//python=tests/lane", "--dist=loadfile"]
    with tempfile.TemporaryDirectory(prefix="pytest-") as folder:
        parts = (["-m", "not timed", f"--basetemp={folder}/lanes", *lanes], ["-m", "timed"])
        environment = {**os.environ, **fetch(), FILES: folder}
        done = [subprocess.run([*pytest, *part], cwd=ROOT, env=environment, check=False) for part in parts]
    sweep()
    statuses = {part.returncode for part in done} - {NOTHING}
    return next(filter(None, statuses), 0 if statuses else NOTHING)


def possible() -> bool:
    """Return True where a process can have a machine of its own, with a Docker daemon in it; tries it."""
    return os.geteuid() == 0 and lane(["-c", ""], images=False) == 0


def fetch() -> dict[str, str]:
    """Fetch what a machine of its own cannot: a kernel, a checker of pages, and programs of overlays.

    Returns the variables that say where these programs are.
    """
    with suppress(MachineError):  # the tests say so, and are skipped
        if not programs.missing():
            asyncio.run(kernel.ensure())
    axe.fetch()
    found = {}
    with docker():  # an image may have a program
        with suppress(MachineError):
            ensure_rehearsal(client(), silent)
        for variable, program in (("LAB_WEAVER", router.program), ("LAB_FLANNELD", flanneld.program)):
            if (data := program()) is not None:
                path = ROOT / "build" / variable.lower()
                path.parent.mkdir(exist_ok=True)
                replace(path, data, mode=0o755)
                found[variable] = str(path)
    return found


@contextmanager
def docker() -> Iterator[None]:
    """Have Docker's daemon: the one that runs, or one that the lab starts."""
    daemon = Daemon()
    daemon.ensure()
    try:
        yield
    finally:
        daemon.release()


def lane(words: list[str], *, images: bool = True) -> int:
    """Run Python with these words in a machine of its own; returns its status."""
    sweep()
    with alone():
        archive, folder = (
            prepare() if images else Path(os.devnull),
            Path(tempfile.mkdtemp(dir=LANES, prefix="lane-")),
        )
        lock = (folder / "lock").open("w")  # its first process holds it as well
        fcntl.flock(lock, fcntl.LOCK_EX)
    argv = ["unshare", *NAMESPACES, sys.executable, "-m", "tests.lanes", "inside", str(folder), str(archive)]
    with lock:
        done = subprocess.run([*argv, *words], cwd=ROOT, pass_fds=[lock.fileno()], check=False)
    sweep()
    return done.returncode


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process makes or deletes folders of machines."""
    LANES.mkdir(parents=True, exist_ok=True)
    with (LANES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare() -> Path:
    """Make what lanes have in common, and an archive of the lab's images; return the archive."""
    archive, known = LANES / "images.tar", LANES / "images"
    with docker():
        made = [HOST_IMAGE, ENDPOINT_IMAGE, REHEARSAL]
        images = [name for name in made if client().images.list(name)]
        ids = " ".join(image_ids(images))
        if not known.exists() or known.read_text() != ids:
            known.unlink(missing_ok=True)
            run("docker", "save", "--output", str(archive), *images)
            known.write_text(ids)
        endpoint_store()
        image_roots(silent)
    return archive


def sweep() -> None:
    """Delete the folders of machines that are no more."""
    with alone():
        for folder in LANES.glob("lane-*"):
            with suppress(OSError), (folder / "lock").open("a") as lock:  # gone where a deletion was cut off
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def inside(folder: Path, archive: Path, words: list[str]) -> int:
    """Be the first process of the machine: arrange it, run Python, and see to it that the dead are buried."""
    archive = furnish(folder, archive)
    with docker():
        if archive.is_file():
            run("docker", "load", "--quiet", "--input", str(archive))
    child = subprocess.Popen([sys.executable, *words], cwd=ROOT)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def furnish(folder: Path, archive: Path) -> Path:
    """Put the machine's own folders in the place of those of this machine; returns where the archive is."""
    mounts = {Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text().splitlines()}
    below = {path for path in mounts if SYS in path.parents}
    own, images = folder / "state", folder / "docker"
    for path in (own, images, *(own / name for name in (*SHARED, "labs"))):
        path.mkdir()
    (own / "images.tar").touch()
    run("mount", "--make-rprivate", "/")
    for name in SHARED:
        if (STATE / name).is_dir():
            run("mount", "--bind", str(STATE / name), str(own / name))
    run("mount", "--bind", str(archive), str(own / "images.tar"))
    # the devices below /sys are those of the network namespace that mounts it
    system = folder / "sys"
    system.mkdir()
    run("mount", "-t", "sysfs", "sysfs", str(system))
    for path in (path for path in below if not below.intersection(path.parents)):
        run("mount", "--rbind", str(path), str(system / path.relative_to(SYS)))
    run("mount", "--move", str(system), str(SYS))
    own_temporary_files(folder)
    DOCKER.mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", str(images), str(DOCKER))
    run("mount", "--rbind", str(own), str(STATE))
    run("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    Path("/run/lock").mkdir()
    for verb in ("add", "delete"):  # what the first namespace of a machine leaves
        run("ip", "netns", verb, "first")
    run("ip", "link", "set", "lo", "up")
    return STATE / "images.tar"


def own_temporary_files(folder: Path) -> None:
    """Give the machine a /tmp of its own, with the folder that it shares in it."""
    temporary, shared = Path(tempfile.gettempdir()), os.environ.get(FILES)
    if temporary in ROOT.parents or temporary in folder.parents:
        return
    own, kept = folder / "tmp", folder / "files"
    for path in (own, kept):
        path.mkdir()
    own.chmod(0o1777)
    if shared:
        run("mount", "--bind", shared, str(kept))
    run("mount", "--bind", str(own), str(temporary))
    if shared:
        Path(shared).mkdir(exist_ok=True)
        run("mount", "--move", str(kept), shared)


def run(*argv: str) -> None:
    """Run a command that prints nothing: pytest-xdist talks to what it started by its output."""
    subprocess.run(argv, stdout=sys.stderr, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["inside", folder, archive, *words]:
            sys.exit(inside(Path(folder), Path(archive), words))
        case ["fetch"]:
            fetch()
        case ["lane", *words]:
            sys.exit(lane(words))
        case words:
            sys.exit(tests(words))
