"""A box: one user-mode Linux kernel whose time stops while programs compute, and jumps when all wait.

A box does one thing, its order, and ends. It belongs to the process that boots it: when that process dies,
the box and all its processes die too. It runs on one processor of this machine, as its kernel and its
programs take turns; on two it takes six times as long.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO

from lab.errors import BoxError
from lab.util import attached
from lab.virtual import first
from lab.virtual.beats import BEAT
from lab.virtual.kernel import Kernel, command, status
from lab.virtual.kernel.status import Standstill, Status

FOLDER = Path(first.FOLDER)
#: Memory of a box (MiB). It is this machine's only where the box has touched it.
MEMORY = 4096
#: Process 1, the same words in every box: what differs moves results.
FIRST = (sys.executable, "-S", "-B", first.__file__)
#: How long (s of wall time) a box may show no sign of life. A program that loops and never waits keeps
#: virtual time from moving; work that takes so long without one wait is not known.
STALL = 180.0
#: After so long a silence (s) the kernel is asked what it does, and so often.
QUIET = 10.0
#: The console of a box is a file, read every so often (s): a pipe would signal the kernel when it is read,
#: and that moves virtual time by some clock reads, by others in every run.
CONSOLE, LISTEN = "console", 0.05
#: The kernel's last line.
POWERED_OFF = "reboot: Power down"
#: Programs that a box needs on this machine.
PROGRAMS = ("setpriv", "unshare", "taskset", "mount", "ip", "tc", "nsenter")
#: Mounts the box's own folder at the place that all boxes know, then becomes the kernel.
ENTER = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Order:
    """The work of a box.

    Attributes:
        argv: the command, one of this machine's programs.
        directory: where it starts.
        environment: all of its environment.
        parameters: values for the parameters of the kernel's additions, by name.
        links: symbolic links to make in the box, by their path there.
    """

    argv: Sequence[str]
    directory: str
    environment: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A box that ended: the status of its command, and how long it ran (s) by both clocks."""

    status: int
    wall: float
    virtual: float


def argv(folder: Path, cpu: int, kernel: Sequence[str]) -> list[str]:
    """Return the command that boots a kernel on one processor, in namespaces that end with this process."""
    inside = ["sh", "-c", ENTER, "sh", str(folder), first.FOLDER]
    return attached.argv([*inside, "taskset", "-c", str(cpu), *kernel])


def missing_programs() -> list[str]:
    """Return the programs of this machine that a box needs and that are not here."""
    return [name for name in PROGRAMS if not shutil.which(name)]


def scratch() -> Path:
    """Return the folder where a box's memory lies: on a file system in memory with room for it.

    Raises:
        BoxError: this machine has not enough memory.
    """
    folder = next((p for p in (Path("/dev/shm"), Path("/run")) if _room(p) > MEMORY << 20), None)
    if folder is None:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        raise BoxError(
            f"a box needs {MEMORY} MiB in memory, and neither /dev/shm nor /run has so much room "
            f"({free} MiB of memory are free); end other programs or enlarge /dev/shm"
        )
    return folder


def _room(path: Path) -> int:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return 0


@contextmanager
def mount_point() -> Iterator[None]:
    """The folder that each box sees as its own; the last box to end removes it again.

    Every box holds a shared lock on it: a folder that is removed would vanish from a box that runs, too.
    """
    handle = _locked_mount_point()
    try:
        yield
    finally:
        remove_mount_point(handle)


def _locked_mount_point() -> int:
    while True:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            handle = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(handle, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), FOLDER.stat()):
                    return handle
            os.close(handle)  # another box removed it meanwhile


def remove_mount_point(handle: int | None = None) -> None:
    """Remove the folder where no box uses it, and the lab's own around it where that is empty then."""
    with suppress(OSError):
        handle = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY) if handle is None else handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            FOLDER.rmdir()
            FOLDER.parent.rmdir()
        finally:
            os.close(handle)


class BoxProcess:
    """One box, to be booted once.

    Args:
        kernel: the kernel.
        folder: its folder; only the box writes to it while it runs.
        cpu: the processor of this machine that it runs on.
        seed: what all random numbers in it follow from.
        hear: called with every line that the box prints, other than its beats.
    """

    def __init__(
        self,
        kernel: Kernel,
        folder: Path,
        cpu: int,
        seed: int,
        hear: Callable[[str], None],
    ) -> None:
        self._kernel, self._folder, self._cpu, self._seed, self._hear = kernel, folder, cpu, seed, hear
        self._alive = monotonic()
        self._virtual = 0.0
        self._booted, self._asked = False, 0.0
        self._answer: Status | None = None
        self._standstill = Standstill()

    async def run(self, order: Order, stall: float = STALL) -> Ended:
        """Boot, carry the order out, and return its status once the kernel has ended.

        Raises:
            BoxError: the kernel did not boot, was killed, or showed no life for `stall` (s of wall time).
        """
        (self._folder / first.ORDER).write_text(json.dumps(asdict(order)))
        (self._folder / first.STATUS).unlink(missing_ok=True)
        began = self._alive = monotonic()
        with (
            mount_point(),
            (self._folder / CONSOLE).open("wb") as console,
            (self._folder / CONSOLE).open("rb") as heard,
        ):
            process = await asyncio.create_subprocess_exec(
                *argv(self._folder, self._cpu, command.argv(self._kernel, f"{MEMORY}M", FIRST)),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**self._variables(), "TMPDIR": str(scratch())},
                start_new_session=True,
            )
            try:
                await self._listen(process, heard, stall)
            finally:
                _end(process.pid)
                await process.wait()
        return Ended(self._status(process.returncode), monotonic() - began, self._virtual)

    def _variables(self) -> Mapping[str, str]:
        return command.environment(self._kernel, self._seed, Path(first.FOLDER))

    async def _listen(self, process: asyncio.subprocess.Process, heard: IO[bytes], stall: float) -> None:
        """Read the console until the box ends; a silence of `stall` seconds ends the box."""
        ended, rest = asyncio.ensure_future(process.wait()), b""
        while True:
            over = ended.done()
            *lines, rest = (rest + heard.read()).split(b"\n")
            for line in lines:
                self._line(line.decode(errors="replace").rstrip())
            if over:
                return
            if self._still(process.pid) > stall:
                ended.cancel()
                raise BoxError(self._stalled(stall))
            await asyncio.wait([ended], timeout=LISTEN)

    def _still(self, pid: int) -> float:
        """Return for how long (s) a box has shown no life; one that is silent is asked what it does."""
        silent = monotonic() - self._alive
        if silent > QUIET and self._booted and monotonic() - self._asked > QUIET:
            self._asked = monotonic()
            with suppress(OSError, ValueError):
                handle = os.pidfd_open(kernel := _kernel_process(pid))
                try:
                    if _kernel_process(pid) == kernel:  # else it ended before, and another got its number
                        status.ask(handle)
                finally:
                    os.close(handle)
        return silent

    def _line(self, text: str) -> None:
        if answer := status.parse(text):
            self._answer = answer
            if not self._standstill.observe(answer, monotonic()):
                self._alive = monotonic()
            return
        self._alive, self._booted = monotonic(), True
        if text.startswith(BEAT):
            self._virtual = float(text.removeprefix(BEAT))
        elif text != POWERED_OFF:
            self._hear(text)

    def _stalled(self, stall: float) -> str:
        return (
            f"virtual time has hardly moved for {stall:g} s: {self._answer or 'a program in the box'} "
            "computes without end and never waits, so it cannot run in virtual time"
        )

    def _status(self, kernel: int | None) -> int:
        try:
            return int((self._folder / first.STATUS).read_text())
        except (OSError, ValueError):
            raise BoxError(
                f"the box ended (status {kernel}) before its work did; see the log in {self._folder}, "
                "and whether this machine ran out of memory or of disk"
            ) from None


def _kernel_process(pid: int) -> int:
    """Return the id of the kernel's process: the child of the one that made its namespaces."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _end(pid: int) -> None:
    """Kill a box that still runs; its processes die with its first one."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
