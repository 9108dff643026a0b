"""What every link did while a sample was measured, from its shaper's counters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
    def lateness(self) -> Mapping[str, float]:
        """How late packets were let go (ms), by quantile; empty where nobody knows."""
        ...


Counts = Mapping[str, Mapping[str, Counters]]
ReadCounters = Callable[[], Awaitable[Counts]]
_COUNTED = ("packets", "bytes", "overflow", "unasked")


async def no_counters() -> Counts:
    """For hosts whose links nobody shapes here, e.g. a real testbed's."""
    return {}


def difference(before: Counts, after: Counts) -> dict[str, dict[str, Any]]:
    """What was added, by link and direction (``AMS-PRG ab``); links that carried nothing are left out."""
    found = {}
    for link, directions in after.items():
        for direction, now in directions.items():
            was = before.get(link, {}).get(direction)
            added = {key: getattr(now, key) - (getattr(was, key) if was else 0) for key in _COUNTED}
            if any(added.values()):
                late = {f"late_{name}_ms": value for name, value in now.lateness.items()}
                found[f"{link} {direction}"] = {**added, **late}
    return found
