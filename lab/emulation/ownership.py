"""The objects of a lab on this machine, written down before they are made.

Every lab has a folder `RUN/labs/<id>`: `owner.json` says which process owns it, or that it is
meant to stay up without one; `state.jsonl` has one line per object, appended before the object
exists. Clean-up reads nothing else, so it removes what the lab made and nothing that somebody
else did. The folder lies on a tmpfs (/run), so a reboot forgets a lab together with its objects.

People know a lab by its short id. What is killed or removed goes by its mark, which has 128 bits of chance:
it is in the environment of the lab's processes and in a label of its containers.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.util import paths
from lab.util.files import replace

RUN = Path(os.environ.get("LAB_RUN_DIR", "/run/lab"))
#: Labels of a lab's containers: its id, for people; its mark; and the folder that has its record.
LABEL, MARK_LABEL, FOLDER_LABEL = "lab.id", "lab.mark", "lab.state"
#: The variable of a lab's processes that has its mark.
VARIABLE = "LAB_ID"
OWNER, MARK = "owner.json", "mark"
MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True)
class Process:
    """A process, told from a later one with the same number by its start time (clock ticks)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, start_time(pid) or 0)

    def alive(self) -> bool:
        return self.started != 0 and start_time(self.pid) == self.started

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal; a later process with its number is left alone."""
        if self.pid <= 1 or not self.alive():
            return
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)  # of one process for good, whose start is read after that
            try:
                if self.alive():
                    signal.pidfd_send_signal(handle, how)
            finally:
                os.close(handle)


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def control_groups(pid: int) -> str:
    """Return the control groups of a process as the kernel lists them; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def processes_with(variable: str, one_of: Collection[str] | None = None) -> list[Process]:
    """Find the other processes of this machine that have ``NAME=value`` in their environment.

    With `one_of`, such as have one of these variables too.
    """
    mark = variable.encode()
    others = None if one_of is None else {other.encode() for other in one_of}
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                process = Process.of(int(folder.name))  # at first: its number may be given again
                given = (folder / "environ").read_bytes().split(b"\0")
                if mark in given and (others is None or not others.isdisjoint(given)):
                    found.append(process)
    return [process for process in found if process.started]


def mount_points() -> list[str]:
    """List what is mounted here; `os.path.ismount` does not see a folder that is bound to itself."""
    return [line.split()[1] for line in MOUNTS.read_text().splitlines()]


def boot_id() -> str:
    """Return the id of this start of the machine; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class LabState:
    """The list of what one lab owns, and whose the lab is."""

    def __init__(self, lab_id: str, mark: str = "") -> None:
        self.lab_id = lab_id
        self.folder = RUN / "labs" / lab_id
        self._file, self._mark = self.folder / "state.jsonl", mark

    @classmethod
    def create(cls) -> LabState:
        """Claim an id that no other lab has: the folder appears with its owner in it, which is the claim."""
        new = _unfinished(Process.of(os.getpid()), f"{threading.get_ident()}")
        while True:
            state = cls(secrets.token_hex(2))
            if (paths.STATE / "labs" / f"{state.lab_id}.json").exists():  # one that a restart ended
                continue
            try:
                new.mkdir(mode=0o700, parents=True, exist_ok=True)
                (new / MARK).write_text(f"{state.lab_id}-{secrets.token_hex(16)}")
                replace(new / OWNER, json.dumps(_owner(os.getpid())))
                new.rename(state.folder)
            except FileNotFoundError:
                continue  # another's last lab went just now, and the folder with it
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                continue
            return state

    @property
    def mark(self) -> str:
        """The word that the lab's processes and containers carry; of a lab of an older version, its id."""
        with suppress(OSError):
            self._mark = (self.folder / MARK).read_text()
        return self._mark or self.lab_id

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which clean-up finds a process of the lab."""
        return {VARIABLE: self.mark}

    @property
    def labels(self) -> dict[str, str]:
        """The labels by which clean-up finds a container of the lab, also without its record."""
        return {LABEL: self.lab_id, MARK_LABEL: self.mark, FOLDER_LABEL: str(paths.STATE)}

    @classmethod
    def around(cls) -> LabState | None:
        """Return the lab that this process was started for, as a rehearsal starts a run; None for no lab."""
        mark = os.environ.get(VARIABLE, "")
        state = cls(mark.partition("-")[0]) if mark else None
        return state if state is not None and state.folder.is_dir() and state.mark == mark else None

    def shared(self, number: int) -> Path:
        """The folder that the host of this number shares with this machine: its Docker's socket is there."""
        return self.folder / "hosts" / str(number)

    def own(self, pid: int) -> None:
        """Make a process the owner: while it lives, clean-up leaves the lab alone."""
        replace(self.folder / OWNER, json.dumps(_owner(pid)))

    def keep(self) -> None:
        """Let the lab stay up without an owner, until `lab down` or a restart of the machine."""
        replace(self.folder / OWNER, json.dumps({"stays": boot_id()}))

    def stays(self) -> bool:
        """Tell if the lab is meant to stay up without an owner."""
        return bool(boot_id()) and self._read_owner().get("stays") == boot_id()

    def owner(self) -> Process | None:
        """The process that owns the lab; None where it stays up without one."""
        stored = self._read_owner()
        return Process(int(stored["pid"]), int(stored["started"])) if "pid" in stored else None

    def owned_by(self, pid: int) -> bool:
        """Tell if a process that runs now owns the lab."""
        return self.owner() == Process.of(pid)

    @property
    def command(self) -> str:
        """The command line of the owner; empty where there is none."""
        return str(self._read_owner().get("command", ""))

    def _read_owner(self) -> dict[str, Any]:
        try:
            stored: dict[str, Any] = json.loads((self.folder / OWNER).read_text())
        except (OSError, ValueError):
            return {}
        return stored

    def alive(self) -> bool:
        """Tell if the process that owns this lab still runs, or the lab needs none."""
        owner = self.owner()
        return self.stays() or (owner is not None and owner.alive())

    def record(self, kind: str, name: str) -> None:
        """Write down a container, namespace, mount, link or light host that is about to be made."""
        with self._file.open("a") as file:
            file.write(json.dumps({"kind": kind, "name": name}) + "\n")

    def owned(self, kind: str = "") -> list[str]:
        """Return the names of all that was recorded, or of one kind; half a line counts as nothing made."""
        try:
            lines = self._file.read_text().splitlines()
        except OSError:
            return []
        names = []
        for line in lines:
            with suppress(ValueError, KeyError):
                stored = json.loads(line)
                names += [stored["name"]] if kind in ("", stored["kind"]) else []
        return names

    def forget(self) -> None:
        """Remove the record itself, last of all, and in one step, so that no process sees a part of it."""
        gone = _unfinished(Process.of(os.getpid()), self.lab_id)
        with suppress(OSError):
            self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        remove_unfinished()
        with suppress(OSError):
            (RUN / "labs").rmdir()
            RUN.rmdir()


def _owner(pid: int) -> dict[str, Any]:
    owner = Process.of(pid)
    return {"pid": owner.pid, "started": owner.started, "command": " ".join(sys.argv)}


def _unfinished(process: Process, what: str) -> Path:
    """The folder of a lab that a process is about to begin, or to forget."""
    return RUN / "labs" / f".{process.pid}.{process.started}.{what}"


def remove_unfinished() -> None:
    """Remove folders of labs that killed processes were about to begin or to forget: nothing else is left."""
    for folder in (RUN / "labs").glob(".*.*.*"):
        pid, started = folder.name.split(".")[1:3]
        if not (pid.isdigit() and started.isdigit() and Process(int(pid), int(started)).alive()):
            shutil.rmtree(folder, ignore_errors=True)


def labs() -> list[LabState]:
    """Every lab that has a record on this machine."""
    try:
        names = sorted(p.name for p in (RUN / "labs").iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError:
        return []
    return [LabState(name) for name in names]
