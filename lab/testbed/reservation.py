"""Reservation of hosts: a file on each of them, so that two people do not measure over each other.

A claim lasts from `prepare` to `restore`, and is good for every command of the same person on the
same machine. While a command works, it also holds the hosts alone: a second one of the same person
is refused as well, unless the first has died.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import HostError, HostsLocked
from lab.hosts.host import CommandRunner
from lab.util.concurrency import together

FOLDER = "/var/lib/lab/testbed"
CLAIM, BUSY = f"{FOLDER}/claim.json", f"{FOLDER}/busy.json"


#: Who is in the files of a host.
Locks = Mapping[str, "Holder | None"]


@dataclass(frozen=True)
class Holder:
    """The holder of hosts: a person, a machine, a command with its process, since when (UTC)."""

    who: str
    machine: str
    since: str
    command: str
    pid: int
    started: int

    @classmethod
    def me(cls, command: str = "") -> Holder:
        """Return this process as a holder."""
        return cls(
            who=getpass.getuser(),
            machine=socket.gethostname(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command or " ".join(sys.argv[1:3]),
            pid=os.getpid(),
            started=_start_time(os.getpid()),
        )

    @property
    def words(self) -> str:
        return f"{self.who} on {self.machine} since {self.since} ({self.command})"

    def same_person(self, other: Holder) -> bool:
        return (self.who, self.machine) == (other.who, other.machine)

    def dead(self) -> bool:
        """Return True for a command of this machine that has ended."""
        return self.machine == socket.gethostname() and _start_time(self.pid) != self.started


def _start_time(pid: int) -> int:
    """Return the time at which a process started (clock ticks); 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return 0


def parse(text: str) -> Holder | None:
    """Read a lock's file; None for a free host."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def acquire_script(holder: Holder) -> str:
    """Shell lines that take both locks if they are free, and print their present content."""
    text = shlex.quote(json.dumps(asdict(holder)))
    takes = "".join(f"(set -C; printf %s {text} > {file}) 2>/dev/null || :\n" for file in (CLAIM, BUSY))
    return f"mkdir -p {FOLDER} || exit 1\n{takes}cat {CLAIM}; echo; cat {BUSY}\n"


async def acquire(hosts: Sequence[CommandRunner], *, steal: bool = False) -> Holder:
    """Acquire all hosts, or none.

    Raises:
        HostsLocked: names who has them, and since when.
        HostError: a host has no room for a lock's file.
    """
    mine = Holder.me()
    rows = await together(_try_to_acquire(host, mine) for host in hosts)
    found = {host.name: locks for host, locks in zip(hosts, rows, strict=True)}
    held = {name: other for name, locks in found.items() if (other := _other(mine, locks))}
    if held and not steal:
        for host in hosts:  # what was written a moment ago goes again
            if files := [file for file, holder in found[host.name].items() if holder == mine]:
                await host.run(["rm", "-f", *files])
        name, other = next(iter(held.items()))
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        raise HostsLocked(
            f"{name}{more}: in use by {other.words}; ask {other.who}, or take it over with --steal"
        )
    stale = [host for host in hosts if steal or found[host.name][BUSY] != mine]
    text = shlex.quote(json.dumps(asdict(mine)))
    script = "".join(f"printf %s {text} > {file}\n" for file in ((CLAIM, BUSY) if steal else (BUSY,)))
    await together(host.run(["sh", "-e"], stdin=script.encode()) for host in stale)
    return mine


def _other(mine: Holder, locks: Locks) -> Holder | None:
    """Return who keeps a host from me: another person, or another command of mine that still runs."""
    claim, busy = locks[CLAIM], locks[BUSY]
    if claim and not claim.same_person(mine):
        return claim
    return busy if busy and busy != mine and not (busy.same_person(mine) and busy.dead()) else None


async def _try_to_acquire(host: CommandRunner, holder: Holder) -> Locks:
    done = await host.run(["sh"], stdin=acquire_script(holder).encode(), check=False)
    if done.status:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise HostError(f"{host.name}: no lock can be written to {FOLDER}: {last}; is its disk full?")
    claim, _, busy = done.stdout.partition("\n")
    if not claim.strip() or not busy.strip():
        raise HostError(f"{host.name}: the lock in {FOLDER} is empty: is its disk full? then make room there")
    return {CLAIM: parse(claim), BUSY: parse(busy)}


async def release(hosts: Sequence[CommandRunner], mine: Holder, *, claim: bool) -> None:
    """Release hosts that are still mine; with `claim` for good."""
    files = f"{CLAIM} {BUSY}" if claim else BUSY
    script = f"grep -qF {shlex.quote(mine.since)} {BUSY} 2>/dev/null && rm -f {files} || :\n"
    await together(host.run(["sh"], stdin=script.encode(), check=False) for host in hosts)
