"""The objects of a lab on this machine, written down before they are made.

Every lab has a folder `RUN/labs/<id>`: `owner.json` says which process owns it, or that it is
meant to stay up without one; `state.jsonl` has one line per object, appended before the object
exists. Clean-up reads nothing else, so it removes what the lab made and nothing that somebody
else did. The folder lies on a tmpfs (/run), so a reboot forgets a lab together with its objects.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.util.files import replace

RUN = Path(os.environ.get("LAB_RUN_DIR", "/run/lab"))
LABEL = "lab.id"
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

    def kill(self) -> None:
        """End it by SIGKILL; a later process with its number is left alone."""
        if self.pid <= 1 or not self.alive():
            return
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)  # of one process for good, whose start is read after that
            try:
                if self.alive():
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


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
                given = (folder / "environ").read_bytes().split(b"\0")
                if mark in given and (others is None or not others.isdisjoint(given)):
                    found.append(Process.of(int(folder.name)))
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

    def __init__(self, lab_id: str) -> None:
        self.lab_id = lab_id
        self.folder = RUN / "labs" / lab_id
        self._file = self.folder / "state.jsonl"

    @classmethod
    def create(cls) -> LabState:
        """Claim an id that no other lab has; the folder's creation is the claim."""
        (RUN / "labs").mkdir(parents=True, exist_ok=True)
        while True:
            state = cls(secrets.token_hex(2))
            try:
                state.folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            state.own(os.getpid())
            return state

    def shared(self, number: int) -> Path:
        """The folder that the host of this number shares with this machine: its Docker's socket is there."""
        return self.folder / "hosts" / str(number)

    def own(self, pid: int) -> None:
        """Make a process the owner: while it lives, clean-up leaves the lab alone."""
        owner = Process.of(pid)
        stored = {"pid": owner.pid, "started": owner.started, "command": " ".join(sys.argv)}
        replace(self.folder / "owner.json", json.dumps(stored))

    def keep(self) -> None:
        """Let the lab stay up without an owner, until somebody takes it down or the machine restarts."""
        replace(self.folder / "owner.json", json.dumps({"stays": boot_id()}))

    def stays(self) -> bool:
        """Tell if the lab is meant to stay up without an owner."""
        return bool(boot_id()) and self._read_owner().get("stays") == boot_id()

    def owner(self) -> Process | None:
        """The process that owns the lab; None where it stays up without one."""
        stored = self._read_owner()
        return Process(int(stored["pid"]), int(stored["started"])) if "pid" in stored else None

    @property
    def command(self) -> str:
        """The command line of the owner; empty where there is none."""
        return str(self._read_owner().get("command", ""))

    def _read_owner(self) -> dict[str, Any]:
        try:
            stored: dict[str, Any] = json.loads((self.folder / "owner.json").read_text())
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
        """Remove the record itself, last of all."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            (RUN / "labs").rmdir()
            RUN.rmdir()


def labs() -> list[LabState]:
    """Every lab that has a record on this machine."""
    try:
        names = sorted(p.name for p in (RUN / "labs").iterdir() if p.is_dir())
    except OSError:
        return []
    return [LabState(name) for name in names]
