"""Who reaches whom: every endpoint of an overlay asks every other, or every host its neighbours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.emulation.emulation import Emulation
from lab.hosts.host import CommandRunner, Endpoint
from lab.util.concurrency import together

#: Seconds between two echoes to one end, and for the last answer.
INTERVAL, PATIENCE = 0.2, 2
GRACE = 20.0


@dataclass(frozen=True)
class Pair:
    """Two ends: the mean round trip between them (ms), None when nothing came back, and echoes lost."""

    a: str
    b: str
    rtt_ms: float | None
    sent: int
    lost: int


async def endpoints(ends: Mapping[str, Endpoint], pairs: Iterable[tuple[str, str]], count: int) -> list[Pair]:
    """Let pairs of endpoints echo each other `count` times, all at once."""
    asked: dict[str, dict[str, str]] = defaultdict(dict)
    for a, b in pairs:
        asked[a][b] = ends[b].address_for(a)
    rows = await together(_ask(ends[a], a, others, count) for a, others in asked.items())
    return [pair for row in rows for pair in row]


async def links(lab: Emulation, count: int) -> list[Pair]:
    """Let the two hosts of every link echo each other: what is there without any overlay."""
    asked: dict[str, dict[str, str]] = defaultdict(dict)
    for link in lab.links:
        asked[link.a][link.b] = link.address_b
    rows = await together(_ask(lab.hosts[a], a, others, count) for a, others in asked.items())
    return [pair for row in rows for pair in row]


async def _ask(runner: CommandRunner | Endpoint, a: str, others: Mapping[str, str], count: int) -> list[Pair]:
    """One end asks all its others at the same time, by one script."""
    ping = f"ping -n -q -c {count} -i {INTERVAL:g} -W {PATIENCE}"
    lines = [
        f"(echo \"@{b} $({ping} {address} 2>/dev/null | tr '\\n' ' ')\") &\n" for b, address in others.items()
    ]
    said = await runner.run(
        ["sh"],
        stdin="".join([*lines, "wait\n"]).encode(),
        timeout=count * INTERVAL + PATIENCE + GRACE,
        check=False,
    )
    found = dict(line[1:].split(" ", 1) for line in said.stdout.splitlines() if line.startswith("@"))
    return [parse(a, b, found.get(b, ""), count) for b in others]


def parse(a: str, b: str, said: str, count: int) -> Pair:
    """What ping's summary says of a pair; a ping that said nothing lost everything."""
    received = re.search(r"(\d+) received", said)
    mean = re.search(r"= [\d.]+/([\d.]+)/", said)
    got = int(received[1]) if received else 0
    return Pair(a, b, float(mean[1]) if mean and got else None, count, count - got)
