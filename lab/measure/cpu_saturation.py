"""Whether the machine had no CPU left for a part of a sample: its load in short windows.

A mean over the whole sample hides a second in which everything stood still. A thread reads one line
of /proc/stat ten times a second, some 20 µs of CPU each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from threading import Event, Thread
from time import monotonic

#: s of a window. The kernel tells idle time in ticks of 10 ms: two CPUs have 20 of them in it.
WINDOW = 0.1
#: Share of a window's CPU time in use from which none was left: one of those 20 ticks may be idle.
SATURATED = 0.95
IDLE = ("idle", "iowait")

Ticks = Mapping[str, int]


def busy_share(before: Ticks, after: Ticks) -> float:
    """The share of the CPU time between two readings that was in use."""
    ticks = {kind: after[kind] - before[kind] for kind in after}
    return 1 - sum(ticks.get(kind, 0) for kind in IDLE) / max(sum(ticks.values()), 1)


def saturated_share(readings: Sequence[tuple[float, Ticks]]) -> float:
    """The share of the time (s) between readings in which the machine had no CPU left."""
    steps = [(end - start, busy_share(before, after)) for (start, before), (end, after) in pairwise(readings)]
    whole = sum(seconds for seconds, _ in steps)
    return round(sum(seconds for seconds, share in steps if share >= SATURATED) / whole, 4) if whole else 0.0


class SaturationSampler:
    """Reads the machine's ticks every `WINDOW` in a thread of its own until it is stopped."""

    def __init__(self, read: Callable[[], Ticks]) -> None:
        self._read, self._over = read, Event()
        self._readings = [(monotonic(), read())]
        self._thread = Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The share of the time so far in which the machine had no CPU left; see `saturated_share`."""
        self._over.set()
        self._thread.join()
        return saturated_share(self._readings)

    def _beat(self) -> None:
        while not self._over.wait(WINDOW):
            self._readings.append((monotonic(), self._read()))
