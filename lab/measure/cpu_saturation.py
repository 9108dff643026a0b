"""The share of a sample in which the machine had no CPU left: its load in short windows.

A mean over the whole sample hides a second in which everything stood still. A thread reads one line
of /proc/stat ten times a second, some 20 µs of CPU each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

#: s of a window. The kernel tells idle time in ticks of 10 ms: two CPUs have 20 of them in it.
WINDOW = 0.1
#: Share of a window's CPU time in use from which none was left: one of those 20 ticks may be idle.
SATURATED = 0.95
IDLE = ("idle", "iowait")

Ticks = Mapping[str, int]


def busy_share(before: Ticks, after: Ticks) -> float:
    """Return the share (0–1) of the CPU time between two readings that was in use."""
    ticks = {kind: after[kind] - before[kind] for kind in after}
    return 1 - sum(ticks.get(kind, 0) for kind in IDLE) / max(sum(ticks.values()), 1)


def saturated_share(readings: Sequence[tuple[float, Ticks]]) -> float:
    """Return the share (0–1) of the time (s) between readings in which the machine had no CPU left."""
    windows = [(end - start, busy_share(old, new)) for (start, old), (end, new) in pairwise(readings)]
    total = sum(seconds for seconds, _ in windows)
    return round(sum(seconds for seconds, busy in windows if busy >= SATURATED) / total, 4) if total else 0.0
