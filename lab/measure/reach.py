"""Whether every endpoint reaches every other: one packet each way between each pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from time import monotonic

from lab.errors import OverlayError
from lab.hosts.base import Endpoint
from lab.measure.together import together

#: How long one answer may take (s); the longest round trip of the studies is 0.17 s.
PATIENCE = 2


def ping_argv(address: str) -> list[str]:
    """One echo request, and at most `PATIENCE` seconds for its answer."""
    return ["ping", "-n", "-q", "-c", "1", "-W", str(PATIENCE), address]


async def all_pairs(endpoints: Mapping[str, Endpoint], deadline: float = 30.0) -> None:
    """Return once a packet has gone from every endpoint to every other and back.

    An echo and its answer cross a pair in both directions, so one per pair is enough.

    Raises:
        OverlayError: a pair was still silent after `deadline` (s).
    """
    silent = list(combinations(endpoints, 2))
    end = monotonic() + deadline
    while silent := await _silent(endpoints, silent):
        if monotonic() > end:
            pairs = ", ".join(f"{a}–{b}" for a, b in silent[:5]) + (" …" if len(silent) > 5 else "")
            what = next(iter(endpoints.values())).overlay or "overlay"
            raise OverlayError(
                f"{what}: no packet passed between {pairs} within {deadline:g} s; "
                "see the overlay's report in the run folder"
            )


async def _silent(
    endpoints: Mapping[str, Endpoint], pairs: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    async def answers(a: str, b: str) -> bool:
        result = await endpoints[a].run(ping_argv(endpoints[b].address), check=False)
        return result.status == 0

    pairs = list(pairs)
    heard = await together(answers(a, b) for a, b in pairs)
    return [pair for pair, ok in zip(pairs, heard, strict=True) if not ok]
