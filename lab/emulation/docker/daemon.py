"""The machine's Docker daemon: somebody's, or one that the lab starts and takes away again.

The lab's own daemon leaves the machine's network alone: no bridge, no iptables rule, no
sysctl. While a process uses a daemon it holds a shared lock; the last one to leave, when no
lab has a record any more, stops a daemon that a lab had started. The lock goes with its
process, so a killed command counts as gone. The daemon and its children carry a mark in
their environment, so they are found even if the command was killed right after the start.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from lab.emulation.leftovers import Before, clear, control_groups, mounts_below
from lab.emulation.ownership import RUN, labs
from lab.errors import MachineError
from lab.events import Emit, Note, silent, step
from lab.util.paths import STATE

#: How long a daemon may take until it serves, and until it has ended (s).
START_PATIENCE = 60.0
STOP_PATIENCE = 20.0
SYSTEMD = Path("/run/systemd/system")
MARK = "LAB_DOCKERD"


@dataclass(frozen=True)
class Places:
    """Where a daemon listens and keeps its things; the defaults are Docker's own."""

    socket: Path = Path("/var/run/docker.sock")
    data: Path = Path("/var/lib/docker")
    exec: Path = Path("/var/run/docker")
    pidfile: Path = Path("/var/run/docker.pid")
    record: Path = field(default_factory=lambda: RUN / "dockerd")
    locks: Path = STATE


def argv(places: Places) -> list[str]:
    """The command of the lab's own daemon."""
    return [
        "dockerd",
        f"--host=unix://{places.socket}",
        f"--data-root={places.data}",
        f"--exec-root={places.exec}",
        f"--pidfile={places.pidfile}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]


class Daemon:
    """The Docker daemon, as long as this process needs it: `ensure`, then `release`."""

    def __init__(self, emit: Emit = silent, places: Places | None = None) -> None:
        self.places = places or Places()
        self._emit = emit
        self._using: IO[str] | None = None

    def ensure(self) -> None:
        """Return once a daemon serves; one is started only where none does.

        Raises:
            MachineError: there is no Docker, systemd has it switched off, or it did not start.
        """
        if self._using is not None:
            return
        if not shutil.which("docker"):  # a daemon may serve all the same: somebody else's, or in a box
            raise MachineError("the command docker is not installed; 'lab doctor' says which package has it")
        self._using = self._lock("users")
        fcntl.flock(self._using, fcntl.LOCK_SH)
        try:
            with self._lock("start") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._serves():
                    self._start()
        except BaseException:
            self.release()
            raise

    def revive(self) -> None:
        """Start the lab's own daemon again where it died in use: what it ran is still to be removed.

        Raises:
            MachineError: it did not start.
        """
        if self._using is None or Before.read(self.places.record) is None:
            return
        with self._lock("start") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._serves():
                self._start()

    def release(self) -> bool:
        """Use the daemon no longer; returns whether it was stopped.

        It is stopped when a lab had started it, no other process uses it, no lab has a
        record on this machine, and no container runs in it.
        """
        using, self._using = self._using or self._lock("users"), None
        with using:
            try:
                fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if Before.read(self.places.record) is None or labs() or self._has_containers():
                return False
            self._stop()
            return True

    def _lock(self, name: str) -> IO[str]:
        self.places.locks.mkdir(parents=True, exist_ok=True)
        return (self.places.locks / f"dockerd-{name}.lock").open("w")

    def _serves(self) -> bool:
        try:
            return self._get("/_ping")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _has_containers(self) -> bool:
        """Whether any container runs: somebody else's, for no lab has a record."""
        try:
            return bool(json.loads(self._get("/containers/json")[1]))
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _get(self, path: str) -> tuple[int, bytes]:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(START_PATIENCE)
            line.connect(str(self.places.socket))
            connection = http.client.HTTPConnection("docker")
            connection.sock = line
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _start(self) -> None:
        if not shutil.which("dockerd"):
            raise MachineError("Docker is not installed on this machine: apt-get install docker.io")
        if SYSTEMD.exists() and self.places == Places():
            raise MachineError("Docker is installed but does not run: systemctl start docker")
        with step(self._emit, "Docker daemon of this machine") as words:
            self._emit(Note("no Docker daemon runs here: starting one, without bridge or iptables rules"))
            self._write_down()
            process = self._spawn()
            self._wait_until_it_serves(process)
            words.append(f"process {process.pid}")

    def _write_down(self) -> None:
        """Note what is there before the daemon; after a crash of it, the first note counts.

        A daemon does not start beside the file of one that was killed and that its parent,
        which may be this process, has not waited for yet.
        """
        places = self.places
        places.record.mkdir(parents=True, exist_ok=True)
        if Before.read(places.record) is None:
            mounts = [Path(p) for root in (places.exec, places.data) for p in mounts_below(root.resolve())]
            files = [places.exec, places.socket, places.pidfile]
            Before.take([*files, *mounts, *control_groups()]).write(places.record)
        else:
            places.pidfile.unlink(missing_ok=True)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.places.record / "log").open("w") as log:
            return subprocess.Popen(
                argv(self.places),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, MARK: str(self.places.record)},
                start_new_session=True,
            )

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        """It opens its socket at once and answers when it is ready: one blocking request."""
        deadline = monotonic() + START_PATIENCE
        while not self._serves():
            if process.poll() is not None or monotonic() > deadline:
                said = self._last_words()
                self._stop()
                raise MachineError(f"Docker did not start: {said}; the disk, the kernel or another daemon?")
            sleep(0.01)

    def _last_words(self) -> str:
        lines = (self.places.record / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def _stop(self) -> None:
        """End the daemon, then whatever of it is left: processes, mounts, files, control groups."""
        places, mark = self.places, f"{MARK}={self.places.record}"
        _end([pid for pid in _processes(mark) if _comm(pid) == "dockerd"], signal.SIGTERM, STOP_PATIENCE)
        _end(_processes(mark), signal.SIGKILL, STOP_PATIENCE)
        before = Before.read(places.record)
        if before is not None:
            clear(before, [places.exec, places.data], [places.exec, places.socket, places.pidfile])
        shutil.rmtree(places.record)


def _processes(mark: str) -> list[int]:
    """Processes with this word in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def _comm(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _end(pids: list[int], how: signal.Signals, patience: float) -> None:
    """Send a signal and wait until the processes are gone, or the patience is used up (s)."""
    deadline = monotonic() + patience
    handles = []
    for pid in pids:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(handles[-1], how)
    for handle in handles:
        select.select([handle], [], [], max(0.0, deadline - monotonic()))
        os.close(handle)


def client(places: Places | None = None) -> Any:
    """A docker-py client of the daemon."""
    import docker

    return docker.DockerClient(base_url=f"unix://{(places or Places()).socket}")
