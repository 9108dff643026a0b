"""Whether the machine had no CPU left for a part of a sample: its load in short windows.

A mean over the whole sample hides a second in which everything stood still. A thread reads one line
of /proc/stat four times a second, some 50 µs of CPU each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from threading import Event, Thread

#: s of a window. The kernel counts in ticks of 10 ms, so that two CPUs have 50 ticks in it.
WINDOW = 0.25
#: Share of a window's CPU time in use from which none was left: two of 50 ticks may be idle.
FULL = 0.95
IDLE = ("idle", "iowait")

Ticks = Mapping[str, int]


def used(before: Ticks, after: Ticks) -> float:
    """The share of the CPU time between two readings that was in use."""
    ticks = {kind: after[kind] - before[kind] for kind in after}
    return 1 - sum(ticks.get(kind, 0) for kind in IDLE) / max(sum(ticks.values()), 1)


def full(readings: Sequence[Ticks]) -> float:
    """The share of the windows between readings in which the machine had no CPU left."""
    windows = [used(before, after) >= FULL for before, after in pairwise(readings)]
    return round(sum(windows) / len(windows), 4) if windows else 0.0


class Pulse:
    """Reads the machine's ticks every `WINDOW` in a thread of its own until it is stopped."""

    def __init__(self, read: Callable[[], Ticks]) -> None:
        self._read, self._over = read, Event()
        self._readings = [read()]
        self._thread = Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The share of the time so far in which the machine had no CPU left; see `full`."""
        self._over.set()
        self._thread.join()
        return full(self._readings)

    def _beat(self) -> None:
        while not self._over.wait(WINDOW):
            self._readings.append(self._read())
