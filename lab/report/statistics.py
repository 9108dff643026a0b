"""Means, spreads and intervals; too few samples for a statistic give None, never a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Samples that a 95 % interval needs: with two, Student's t is 12.7 standard errors wide.
ENOUGH_FOR_INTERVAL = 3
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """`n` samples: their mean, standard deviation (n − 1), and the 95 % interval of the mean."""

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def summary(values: Sequence[float]) -> Summary | None:
    """Summarise samples; None when there are none. The interval is Student's t (scipy)."""
    import numpy as np

    n = len(values)
    if n == 0:
        return None
    mean = float(np.mean(values))
    if n == 1:
        return Summary(n, mean)
    sd = float(np.std(values, ddof=1))
    if n < ENOUGH_FOR_INTERVAL:
        return Summary(n, mean, sd)
    low, high = _interval(n, mean, sd)
    return Summary(n, mean, sd, low, high)


def total(parts: Sequence[Summary]) -> Summary:
    """The sum of independent means, e.g. of a path's segments: means add, variances add.

    `n` is that of the part with the fewest; there is no interval, because the parts' numbers
    of samples may differ.
    """
    mean = sum(part.mean for part in parts)
    spreads = [part.sd for part in parts]
    known = [sd for sd in spreads if sd is not None]
    sd = sum(sd**2 for sd in known) ** 0.5 if len(known) == len(spreads) else None
    return Summary(min((part.n for part in parts), default=0), mean, sd)


def _interval(n: int, mean: float, sd: float) -> tuple[float, float]:
    if sd == 0:
        return mean, mean
    from scipy import stats

    low, high = stats.t.interval(CONFIDENCE, n - 1, loc=mean, scale=sd / n**0.5)
    return float(low), float(high)
