"""Ping between all: every endpoint of an overlay asks every other, or every host its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.emulation.emulation import Emulation
from lab.errors import MeasureError
from lab.hosts.host import CommandRunner, Endpoint
from lab.measure import ping
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
    return await _ask_all(ends, ((a, b, ends[b].address_for(a)) for a, b in pairs), count)


async def links(lab: Emulation, count: int) -> list[Pair]:
    """Let the two hosts of every link echo each other, without any overlay."""
    return await _ask_all(lab.hosts, ((link.a, link.b, link.address_b) for link in lab.links), count)


async def _ask_all(
    runners: Mapping[str, CommandRunner | Endpoint], pairs: Iterable[tuple[str, str, str]], count: int
) -> list[Pair]:
    """Let the first of each pair ask the second, at this address, all at once."""
    asked: dict[str, dict[str, str]] = defaultdict(dict)
    for a, b, address in pairs:
        asked[a][b] = address
    rows = await together(_ask(runners[a], a, others, count) for a, others in asked.items())
    return [pair for row in rows for pair in row]


async def _ask(runner: CommandRunner | Endpoint, a: str, others: Mapping[str, str], count: int) -> list[Pair]:
    """One end asks all its others at the same time, by one script."""
    command = f"ping -n -q -c {count} -i {INTERVAL:g} -W {PATIENCE}"
    # one write for each: they end side by side
    lines = [
        f"(echo \"@{b} $({command} {address} 2>/dev/null | tr '\\n' '\\t')\") &\n"
        for b, address in others.items()
    ]
    printed = await runner.run(
        ["sh"],
        stdin="".join([*lines, "wait\n"]).encode(),
        timeout=count * INTERVAL + PATIENCE + GRACE,
        check=False,
    )
    answers = dict(line[1:].split(" ", 1) for line in printed.stdout.splitlines() if line.startswith("@"))
    return [_pair(a, b, answers.get(b, "").replace("\t", "\n"), count) for b in others]


def _pair(a: str, b: str, printed: str, count: int) -> Pair:
    """The result of `count` echoes from a to b, by ping's own summary; one that has none lost all."""
    try:
        summary = ping.parse(printed)
    except MeasureError:
        return Pair(a, b, None, count, count)
    return Pair(a, b, summary["mean_ms"], count, round(count * summary["lost_percent"] / 100))
