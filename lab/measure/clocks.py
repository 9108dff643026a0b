"""Four clocks of the kernel, compared: they show that time did not go on evenly during a sample.

Tools take times from the wall clock or the monotonic one, and the wire compares both. Corrections by
NTP bend both alike; only setting the wall clock moves it against the monotonic one, only sleep
stops the monotonic one against the boot clock, and only the raw one is never corrected
(clock_gettime(2)).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

#: s within which all clocks are read; when something came between, they are read again.
SAME_MOMENT = 20e-6
TRIES = 10


@dataclass(frozen=True)
class Clocks:
    """The kernel's clocks at one moment (s): wall, monotonic, monotonic uncorrected, and with sleep.

    `within` is how long that moment was (s): by so much they may be apart.
    """

    wall: float
    monotonic: float
    raw: float
    boot: float
    within: float = 0.0


def read() -> Clocks:
    """Read all clocks as simultaneously as possible."""
    best, shortest = _read(), float("inf")
    for _ in range(TRIES):
        found = _read()
        took = time.clock_gettime(time.CLOCK_MONOTONIC) - found.monotonic
        if took < shortest:
            best, shortest = replace(found, within=took), took
        if took < SAME_MOMENT:
            break
    return best


def _read() -> Clocks:
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)
    wall = time.clock_gettime(time.CLOCK_REALTIME)
    raw = time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    return Clocks(wall, monotonic, raw, time.clock_gettime(time.CLOCK_BOOTTIME))


def difference(before: Clocks, after: Clocks) -> dict[str, float]:
    """Return how far the wall clock was set, how long the machine slept (ms), and how much time was bent.

    Where reading the clocks took longer than what they are apart, nothing says that time was bent.
    """
    passed = after.monotonic - before.monotonic
    raw = after.raw - before.raw
    told = raw > 0 and abs(passed - raw) > before.within + after.within
    return {
        "set_ms": round(1e3 * (after.wall - before.wall - passed), 3),
        "slept_ms": round(1e3 * (after.boot - before.boot - passed), 3),
        "bent": round(passed / raw - 1, 5) if told else 0.0,
    }
