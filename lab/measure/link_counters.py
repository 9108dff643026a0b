"""Counts of every link while a sample was measured, from its shaper's counters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import isfinite
from typing import Any


@dataclass(frozen=True)
class Counters:
    """Counts of one direction of a link since it was made; every shaper keeps them.

    Attributes:
        packets: packets that left the link (a GSO packet is one).
        bytes: bytes that left the link.
        overflow: packets dropped because the queue before the rate was full: what a real link does.
        unexpected: packets dropped that no parameter asked for: a full or dead wire.
        lateness: how late packets were released, ms, by quantile (``p50``, ``p99``, ``max``);
            empty where the kernel does not tell.
        late_counts: packets by class of lateness, each named by its upper bound (ms; infinity for
            the last): of two readings the difference tells about the time between them.
        late_ms: how late all packets were, taken together, ms.
    """

    packets: int
    bytes: int
    overflow: int
    unexpected: int
    lateness: Mapping[str, float] = field(default_factory=dict)
    late_counts: Mapping[float, int] = field(default_factory=dict)
    late_ms: float = 0.0


Counts = Mapping[str, Mapping[str, Counters]]
ReadCounters = Callable[[], Awaitable[Counts]]
LATE_PART, LATE_LEAST = 0.99, 100
#: What a sample stores, by the name under which it is stored.
_COUNTED = {"packets": "packets", "bytes": "bytes", "overflow": "overflow", "unasked": "unexpected"}


async def no_counters() -> Counts:
    """Return nothing: for links that the lab does not shape, e.g. a real testbed's."""
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
            added = {
                key: getattr(now, name) - (getattr(was, name) if was else 0) for key, name in _COUNTED.items()
            }
            if any(added.values()):
                found[f"{link} {direction}"] = {**added, **_late(was, now)}
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
