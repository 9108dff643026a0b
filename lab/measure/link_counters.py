"""Counts of every link while a sample was measured, from its shaper's counters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import accumulate
from math import isfinite
from typing import Any, Protocol


class Counters(Protocol):
    """Counts of one direction of a link since it was made; every shaper keeps them."""

    @property
    def packets(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    @property
    def overflow(self) -> int:
        """Packets dropped by the full queue before the rate: what a real link does."""
        ...

    @property
    def unasked(self) -> int:
        """Packets dropped that no parameter asked for."""
        ...

    @property
    def late_counts(self) -> Mapping[float, int]:
        """Packets by class of lateness, named by its upper bound (ms); empty where nobody knows."""
        ...

    @property
    def late_ms(self) -> float:
        """How late all packets were, taken together."""
        ...


Counts = Mapping[str, Mapping[str, Counters]]
ReadCounters = Callable[[], Awaitable[Counts]]
LATE_PART, LATE_LEAST = 0.99, 100
_COUNTED = ("packets", "bytes", "overflow", "unasked")


async def no_counters() -> Counts:
    """For hosts whose links nobody shapes here, e.g. a real testbed's."""
    return {}


def difference(before: Counts, after: Counts) -> dict[str, dict[str, Any]]:
    """Return what was added, by link and direction (``AMS-PRG ab``); links that carried nothing are left out.

    ``late_p99_ms`` is an upper bound; the last class has none, which is stored as None. Of fewer than
    a hundred packets nobody is the slowest hundredth: it is left out. ``late_mean_ms`` is what lateness
    adds to a mean: one packet of a hundred can be a tenth of a second late and leave the other alone.
    """
    found = {}
    for link, directions in after.items():
        for direction, now in directions.items():
            was = before.get(link, {}).get(direction)
            added = {key: getattr(now, key) - (getattr(was, key) if was else 0) for key in _COUNTED}
            if any(added.values()):
                found[f"{link} {direction}"] = {
                    **added,
                    **_late(was, now),
                }
    return found


def _late(was: Counters | None, now: Counters) -> dict[str, float | None]:
    before = was.late_counts if was else {}
    counts = {bound: count - before.get(bound, 0) for bound, count in sorted(now.late_counts.items())}
    if not (total := sum(counts.values())):
        return {}
    mean = (now.late_ms - (was.late_ms if was else 0.0)) / total
    found: dict[str, float | None] = {"late_mean_ms": round(mean, 4)}
    if total >= LATE_LEAST:
        upto = zip(counts, accumulate(counts.values()), strict=True)
        bound = next(bound for bound, seen in upto if seen >= LATE_PART * total)
        found["late_p99_ms"] = bound if isfinite(bound) else None
    return found
