"""The machine's Docker daemon: an existing one, or one that the lab starts and removes again.

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from lab.emulation.docker import settings
from lab.emulation.ownership import RUN, Process, labs, mount_points, processes_with, start_time
from lab.errors import MachineError
from lab.events import Emit, Note, silent, step
from lab.util.files import replace
from lab.util.paths import STATE
from lab.util.patience import patient

#: How long a daemon may take until it serves, and until it has ended (s).
START_PATIENCE = 60.0
STOP_PATIENCE = 20.0
#: How long a daemon's containerd may take to end after a daemon that was killed (s).
CONTAINERD_PATIENCE = 2.0
SYSTEMD = Path("/run/systemd/system")
CGROUPS = Path("/sys/fs/cgroup")
MARK = "LAB_DOCKERD"
#: The name of the process that Docker keeps beside a container, as the kernel cuts it.
SHIM = "containerd-shim"
BEFORE_FILE = "before.json"


@dataclass(frozen=True)
class DaemonPaths:
    """The socket and the folders of a daemon; the defaults are Docker's own."""

    socket: Path = Path("/var/run/docker.sock")
    data: Path = Path("/var/lib/docker")
    exec: Path = Path("/var/run/docker")
    pidfile: Path = Path("/var/run/docker.pid")
    record: Path = field(default_factory=lambda: RUN / "dockerd")
    locks: Path = STATE


@dataclass(frozen=True)
class ExistingPaths:
    """Paths from before the start of the daemon; new paths beside them are removed."""

    paths: frozenset[str]

    @classmethod
    def among(cls, candidates: Sequence[Path]) -> ExistingPaths:
        return cls(frozenset(str(p) for p in candidates if p.exists()))

    @classmethod
    def read(cls, folder: Path) -> ExistingPaths | None:
        """Read what `write` wrote; None where there is nothing, or half of it."""
        try:
            return cls(frozenset(json.loads((folder / BEFORE_FILE).read_text())))
        except (OSError, ValueError):
            return None

    def write(self, folder: Path) -> None:
        replace(folder / BEFORE_FILE, json.dumps(sorted(self.paths)))

    def delete_others(self, unmount: Sequence[Path], delete: Sequence[Path]) -> None:
        """Remove the new objects: mounts below `unmount`, the paths `delete`, control groups.

        Only empty control groups go: one with a process in it is somebody's.
        """
        for point in (p for root in unmount for p in mounts_below(root.resolve())):
            if point not in self.paths:
                subprocess.run(["umount", point], check=False, capture_output=True)
        for path in (p for p in delete if str(p) not in self.paths):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for group in (g for g in control_groups() if str(g) not in self.paths):
            with suppress(OSError):
                group.rmdir()


def control_groups() -> list[Path]:
    """List the groups in which a daemon puts its containers: one per controller, or one in all."""
    return [p for p in (CGROUPS / "docker", *CGROUPS.glob("*/docker")) if p.is_dir()]


def mounts_below(folder: Path) -> list[str]:
    """List the mount points at or below a folder, the innermost first."""
    inside = [p for p in mount_points() if p == str(folder) or p.startswith(f"{folder}/")]
    return sorted(inside, key=len, reverse=True)


def argv(paths: DaemonPaths) -> list[str]:
    """Build the command of the lab's own daemon."""
    return [
        "dockerd",
        f"--host=unix://{paths.socket}",
        f"--data-root={paths.data}",
        f"--exec-root={paths.exec}",
        f"--pidfile={paths.pidfile}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        # one that is started again after a crash would end every container, of other labs too
        "--live-restore",
    ]


def get(daemon: Path, path: str, timeout: float) -> tuple[int, bytes]:
    """Ask a Docker daemon at its socket; returns the status and the body of the answer.

    Raises:
        OSError: nobody listens, or answers within `timeout` (s).
        http.client.HTTPException: the answer is none of HTTP's.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(timeout)
        line.connect(str(daemon))
        connection = http.client.HTTPConnection("docker")
        connection.sock = line
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


class Daemon:
    """The Docker daemon, as long as this process needs it: `ensure`, then `release`."""

    def __init__(self, emit: Emit = silent, paths: DaemonPaths | None = None) -> None:
        self.paths = paths or DaemonPaths()
        self._emit = emit
        self._using: IO[str] | None = None

    def ensure(self) -> None:
        """Return once a daemon serves; one is started only where none does.

        Raises:
            MachineError: there is no Docker, systemd has it switched off, it did not start, or a lab cannot
                work with its settings.
        """
        if self._using is not None:
            return
        if not shutil.which("docker"):  # a daemon may serve all the same: somebody else's, or in a box
            raise MachineError("the command docker is not installed; 'lab doctor' says which package has it")
        self._using = self._lock("users")
        fcntl.flock(self._using, fcntl.LOCK_SH)
        try:
            self._start_unless_one_serves()
            settings.check(self.paths.socket, self._ask)
        except BaseException:
            self.release()
            raise

    def revive(self) -> None:
        """Start the lab's own daemon again if it died in use, because its containers must still be removed.

        Raises:
            MachineError: it did not start.
        """
        if self._using is not None and ExistingPaths.read(self.paths.record) is not None:
            self._start_unless_one_serves()

    def died(self) -> bool:
        """Tell if a daemon that a lab started serves no longer; its containers may go on."""
        return ExistingPaths.read(self.paths.record) is not None and not self.serves()

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
            if ExistingPaths.read(self.paths.record) is None or labs() or self._has_containers():
                return False
            self._stop()
            return True

    def _lock(self, name: str) -> IO[str]:
        self.paths.locks.mkdir(parents=True, exist_ok=True)
        return (self.paths.locks / f"dockerd-{name}.lock").open("w")

    def _start_unless_one_serves(self) -> None:
        with self._lock("start") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.serves():
                self._start()

    def serves(self) -> bool:
        """Tell if a daemon answers, the lab's own or another."""
        try:
            return get(self.paths.socket, "/_ping", patient(START_PATIENCE))[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _ask(self, path: str) -> bytes:
        return get(self.paths.socket, path, patient(START_PATIENCE))[1]

    def _has_containers(self) -> bool:
        """Tell if any container runs; it is not a lab's, because no lab has a record.

        A daemon that died says nothing, and its containers go on: each has a process beside it.
        """
        try:
            return bool(json.loads(get(self.paths.socket, "/containers/json", START_PATIENCE)[1]))
        except (OSError, ValueError, http.client.HTTPException):
            marked = processes_with(f"{MARK}={self.paths.record}")
            return any(_comm(process.pid) == SHIM for process in marked)

    def _start(self) -> None:
        if not shutil.which("dockerd"):
            raise MachineError("Docker is not installed on this machine: apt-get install docker.io")
        if SYSTEMD.exists() and self.paths == DaemonPaths():
            raise MachineError("Docker is installed but does not run: systemctl start docker")
        with step(self._emit, "Docker daemon of this machine") as words:
            self._emit(Note("no Docker daemon runs here: starting one, without bridge or iptables rules"))
            self._record_existing_paths()
            process = self._spawn()
            self._wait_until_it_serves(process)
            words.append(f"process {process.pid}")

    def _record_existing_paths(self) -> None:
        """Note what is there before the daemon; after a crash of it, the first note counts.

        A daemon does not start beside the file of one that was killed and that its parent,
        which may be this process, has not waited for yet.
        """
        paths = self.paths
        paths.record.mkdir(parents=True, exist_ok=True)
        if ExistingPaths.read(paths.record) is None:
            mounts = [Path(p) for root in (paths.exec, paths.data) for p in mounts_below(root.resolve())]
            files = [paths.exec, paths.socket, paths.pidfile]
            ExistingPaths.among([*files, *mounts, *control_groups()]).write(paths.record)
        else:
            paths.pidfile.unlink(missing_ok=True)
            _forget_dead(paths.exec / "containerd/containerd.pid")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.paths.record / "log").open("w") as log:
            return subprocess.Popen(
                argv(self.paths),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, MARK: str(self.paths.record)},
                start_new_session=True,
            )

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        """It opens its socket at once and answers when it is ready: one blocking request."""
        deadline = monotonic() + patient(START_PATIENCE)
        while not self.serves():
            if process.poll() is not None or monotonic() > deadline:
                lines = (self.paths.record / "log").read_text(errors="replace").strip().splitlines()
                reason = lines[-1][:300] if lines else "it said nothing"
                if self._has_containers():  # of a daemon before it, whose containers go on
                    process.kill()
                else:
                    self._stop()
                raise MachineError(f"Docker did not start: {reason}; the disk, the kernel or another daemon?")
            sleep(0.01)

    def _stop(self) -> None:
        """End the daemon, then whatever of it is left: processes, mounts, files, control groups."""
        paths, mark = self.paths, f"{MARK}={self.paths.record}"
        daemons = [process for process in processes_with(mark) if _comm(process.pid) == "dockerd"]
        _end(daemons, signal.SIGTERM, STOP_PATIENCE)
        _end(processes_with(mark), signal.SIGKILL, STOP_PATIENCE)
        if (before := ExistingPaths.read(paths.record)) is not None:
            before.delete_others([paths.exec, paths.data], [paths.exec, paths.socket, paths.pidfile])
        shutil.rmtree(paths.record)


def _forget_dead(pidfile: Path) -> None:
    """Delete the file of a containerd that ends with its daemon, once it has ended.

    A daemon that finds the file, and a process that is about to end, waits for that in vain and gives up.
    """
    with suppress(OSError, ValueError):
        pid, deadline = int(pidfile.read_text()), monotonic() + CONTAINERD_PATIENCE
        while start_time(pid) is not None and monotonic() < deadline:
            sleep(0.01)
        if start_time(pid) is None:
            pidfile.unlink()


def _comm(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _end(processes: Sequence[Process], how: signal.Signals, patience: float) -> None:
    """Send a signal and wait until the processes are gone, or the patience is used up (s)."""
    deadline = monotonic() + patient(patience)
    handles = []
    for process in processes:
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(process.pid)
            if not process.alive():  # it has ended, and perhaps another has its number
                os.close(handle)
                continue
            handles.append(handle)
            signal.pidfd_send_signal(handle, how)
    for handle in handles:
        select.select([handle], [], [], max(0.0, deadline - monotonic()))
        os.close(handle)


def client(paths: DaemonPaths | None = None) -> Any:
    """Make a docker-py client of the daemon."""
    import docker

    return docker.DockerClient(base_url=f"unix://{(paths or DaemonPaths()).socket}")


@contextmanager
def serving(emit: Emit = silent) -> Iterator[Any]:
    """Yield a client of this machine's Docker daemon, which is started for it where it does not run."""
    daemon = Daemon(emit)
    daemon.ensure()
    try:
        yield client()
    finally:
        daemon.release()
