"""Whether endpoints reach each other: one packet each way between the two of each pair."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic

from lab.errors import OverlayError
from lab.hosts.base import Endpoint
from lab.measure.together import together

#: How long one answer may take (s); the longest round trip of the studies is 0.17 s.
PATIENCE = 2
#: How many pairs are asked at once: each costs a process in two containers.
AT_ONCE = 16


def ping_argv(address: str) -> list[str]:
    """One echo request, and at most `PATIENCE` seconds for its answer."""
    return ["ping", "-n", "-q", "-c", "1", "-W", str(PATIENCE), address]


async def every_pair(
    endpoints: Mapping[str, Endpoint], pairs: Sequence[tuple[str, str]], deadline: float = 30.0
) -> None:
    """Return once a packet has gone between the two of each pair and back.

    An echo and its answer cross a pair in both directions, so each pair is named once.

    Raises:
        OverlayError: a pair was still silent after `deadline` (s).
    """
    silent = list(pairs)
    end = monotonic() + deadline
    while silent := await _silent(endpoints, silent):
        if monotonic() > end:
            named = ", ".join(f"{a}–{b}" for a, b in silent[:5]) + (" …" if len(silent) > 5 else "")
            what = next(iter(endpoints.values())).overlay or "overlay"
            raise OverlayError(
                f"{what}: no packet passed between {named} within {deadline:g} s; "
                "see the overlay's report in the run folder"
            )


async def _silent(
    endpoints: Mapping[str, Endpoint], pairs: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    room = asyncio.Semaphore(AT_ONCE)

    async def answers(a: str, b: str) -> bool:
        async with room:
            result = await endpoints[a].run(ping_argv(endpoints[b].address), check=False)
        return result.status == 0

    pairs = list(pairs)
    heard = await together(answers(a, b) for a, b in pairs)
    return [pair for pair, ok in zip(pairs, heard, strict=True) if not ok]
