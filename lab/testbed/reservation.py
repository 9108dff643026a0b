"""Who uses the hosts: a file on each of them, so that two people do not measure over each other.

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


@dataclass(frozen=True)
class Holder:
    """Who holds hosts: a person, a machine, a command with its process, since when (UTC)."""

    who: str
    machine: str
    since: str
    command: str
    pid: int
    started: int

    @classmethod
    def me(cls, doing: str = "") -> Holder:
        return cls(
            who=getpass.getuser(),
            machine=socket.gethostname(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            command=doing or " ".join(sys.argv[1:3]),
            pid=os.getpid(),
            started=_started(os.getpid()),
        )

    @property
    def words(self) -> str:
        return f"{self.who} on {self.machine} since {self.since} ({self.command})"

    def same_person(self, other: Holder) -> bool:
        return (self.who, self.machine) == (other.who, other.machine)

    def dead(self) -> bool:
        """Whether this was a command of this machine that has ended."""
        return self.machine == socket.gethostname() and _started(self.pid) != self.started


def _started(pid: int) -> int:
    """When a process started (clock ticks); 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return 0


def parse(text: str) -> Holder | None:
    """What a lock's file says; None for a free host."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def take_script(holder: Holder) -> str:
    """What takes both locks where nobody has them, and prints what is in them now."""
    text = shlex.quote(json.dumps(asdict(holder)))
    takes = "".join(f"(set -C; printf %s {text} > {file}) 2>/dev/null || :\n" for file in (CLAIM, BUSY))
    return f"mkdir -p {FOLDER} || exit 1\n{takes}cat {CLAIM}; echo; cat {BUSY}\n"


async def take(hosts: Sequence[CommandRunner], *, steal: bool = False) -> Holder:
    """Take all hosts, or none.

    Raises:
        HostsLocked: names who has them, and since when.
        HostError: a host has no room for a lock's file.
    """
    mine = Holder.me()
    found = dict(zip((h.name for h in hosts), await together(_take(h, mine) for h in hosts), strict=True))
    held = {name: other for name, pair in found.items() if (other := _other(mine, pair))}
    if held and not steal:
        await _give_back(hosts, found, mine)
        name, other = next(iter(held.items()))
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        raise HostsLocked(
            f"{name}{more}: in use by {other.words}; ask {other.who}, or take it over with --steal"
        )
    stale = [h for h in hosts if steal or found[h.name][1] != mine]
    await together(_write(host, mine, both=steal) for host in stale)
    return mine


def _other(mine: Holder, pair: tuple[Holder | None, Holder | None]) -> Holder | None:
    """Who keeps a host from me: another person, or another command of mine that still runs."""
    claim, busy = pair
    if claim and not claim.same_person(mine):
        return claim
    return busy if busy and busy != mine and not (busy.same_person(mine) and busy.dead()) else None


async def _take(host: CommandRunner, holder: Holder) -> tuple[Holder | None, Holder | None]:
    said = await host.run(["sh"], stdin=take_script(holder).encode(), check=False)
    if said.status:
        words = (said.stderr.strip() or "it said nothing").splitlines()[-1]
        raise HostError(f"{host.name}: no lock can be written to {FOLDER}: {words}; is its disk full?")
    claim, _, busy = said.stdout.partition("\n")
    if not claim.strip() or not busy.strip():
        raise HostError(f"{host.name}: the lock in {FOLDER} is empty: is its disk full? then make room there")
    return parse(claim), parse(busy)


async def _write(host: CommandRunner, holder: Holder, *, both: bool) -> None:
    text = shlex.quote(json.dumps(asdict(holder)))
    script = "".join(f"printf %s {text} > {file}\n" for file in ((CLAIM, BUSY) if both else (BUSY,)))
    await host.run(["sh", "-e"], stdin=script.encode())


async def _give_back(
    hosts: Sequence[CommandRunner], found: Mapping[str, tuple[Holder | None, Holder | None]], mine: Holder
) -> None:
    """Remove from hosts what `take` has just written."""
    for host in hosts:
        files = [file for file, who in zip((CLAIM, BUSY), found[host.name], strict=True) if who == mine]
        if files:
            await host.run(["rm", "-f", *files])


async def release(hosts: Sequence[CommandRunner], mine: Holder, *, claim: bool) -> None:
    """Let go of hosts that are still mine; with `claim` for good."""
    files = (CLAIM, BUSY) if claim else (BUSY,)
    gone = f"grep -qF {shlex.quote(mine.since)} {BUSY} 2>/dev/null && rm -f {' '.join(files)} || :\n"
    await together(host.run(["sh"], stdin=gone.encode(), check=False) for host in hosts)
