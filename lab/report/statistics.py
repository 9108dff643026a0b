"""Means, spreads, intervals and comparisons; too few samples for a statistic give None, never a number.

Samples of one bring-up are alike, so what is independent is the mean of a bring-up (a block): intervals are
of these. Everything that scipy has is scipy's. Every interval is of 95 % unless it is said otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import fmean, median, stdev, variance

#: Blocks that a 95 % interval needs: with two, Student's t is 12.7 standard errors wide.
ENOUGH_FOR_INTERVAL = 3
#: Places that a trend needs.
ENOUGH_FOR_TREND = 4
#: Samples that differ by less than this share of the largest differ by rounding alone.
ALIKE = 1e-12
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """`n` samples of so many `blocks`: mean of the blocks' means with Student's 95 % interval, median.

    `sd` is the standard deviation of all samples (n − 1). `within` is that of samples of one block, and
    `between` that of what blocks have of their own (the component of variance, one-way analysis); where
    every block has one sample the two cannot be told apart.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    median: float | None = None
    blocks: int = 1
    between: float | None = None
    within: float | None = None


@dataclass(frozen=True)
class Estimate:
    """A quantity and its interval, e.g. a ratio of two means."""

    value: float
    low: float
    high: float


def summary(blocks: Sequence[Sequence[float]], machines: Sequence[str] = ()) -> Summary | None:
    """Summarise samples by block; None when there are none.

    With the machine of each block, the interval of the mean is without the differences between machines
    (`without_machines`); `sd` and `between` have them in it.
    """
    filled = [block for block in blocks if block]
    values = [value for block in filled for value in block]
    if not values:
        return None
    means, n = without_machines([fmean(block) for block in filled], machines), len(values)
    found = location(means)
    between, within = components(filled)
    return Summary(
        n,
        fmean(means),
        stdev(values) if n > 1 else None,
        found.low if found else None,
        found.high if found else None,
        median(values) if n > 2 else None,
        len(filled),
        between,
        within,
    )


def without_machines(means: Sequence[float], machines: Sequence[str]) -> list[float]:
    """Return the means of blocks without what their machines have of their own.

    The model is that of a block design (Montgomery, *Design and Analysis of Experiments*, chapter 4): a mean,
    the effect of the machine, and what is left. Their mean is the mean of the machines' means. What is left
    is widened so that Student's interval of N such values is that of the model: pooled within M machines,
    with N − M degrees of freedom, also where machines measured unequally often. The means stay as they are
    for one machine, for machines that are not known, and where fewer than two degrees of freedom would be
    left: then the differences between machines are in the interval.
    """
    n, of = len(means), Counter(machines)
    freedom = n - len(of)
    if len(of) < 2 or len(machines) != n or freedom < ENOUGH_FOR_INTERVAL - 1:
        return list(means)
    own = {name: fmean(m for m, on in zip(means, machines, strict=True) if on == name) for name in of}
    centre = fmean(own.values())
    left = [mean - own[on] for mean, on in zip(means, machines, strict=True)]
    unequal = sqrt(n * sum(1 / count for count in of.values())) / len(of)
    wider = unequal * sqrt((n - 1) / freedom) * _t(freedom) / _t(n - 1)
    return [centre + wider * one for one in left]


def _t(freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def components(blocks: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Return the standard deviations between and within blocks that have samples; None where unknown.

    Within: pooled. Between: the variance of the blocks' means less what samples within them make of it
    (Searle, *Linear Models*, 1971, unweighted means); not below 0.
    """
    spare = sum(len(block) - 1 for block in blocks)
    if not spare:
        return None, None
    pooled = sum((len(block) - 1) * variance(block) for block in blocks if len(block) > 1) / spare
    if len(blocks) < 2:
        return None, sqrt(pooled)
    own = variance([fmean(block) for block in blocks]) - pooled * fmean(1 / len(block) for block in blocks)
    return sqrt(max(own, 0.0)), sqrt(pooled)


def total(parts: Sequence[Summary]) -> Summary:
    """The sum of independent means, e.g. of a path's links: means add, variances add.

    `n` is that of the part with the fewest; there is no interval, because the parts' numbers
    of samples may differ.
    """
    spreads = [part.sd for part in parts if part.sd is not None]
    sd = hypot(*spreads) if len(spreads) == len(parts) else None
    return Summary(min((part.n for part in parts), default=0), sum(part.mean for part in parts), sd)


def location(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """A mean with Student's interval; None with too few samples."""
    if not _enough(values):
        return None
    mean = fmean(values)
    return Estimate(mean, *_student(len(values), mean, stdev(values), confidence))


def ratio(above: Sequence[float], below: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """Return the ratio of two means of what is never below 0; None with too few, or where nothing is below.

    The interval is Fieller's (Journal of the Royal Statistical Society B 16, 1954): the ratios r for
    which the difference of the one mean and r times the other may be none, with Welch's degrees of freedom.
    There is none where the lower mean's own interval holds 0.
    """
    from scipy import stats

    if not _enough(above, below) or min(above) < 0 or min(below) < 0 or not fmean(below) > 0:
        return None
    a, b = fmean(above), fmean(below)
    if _alike(above) and (a == 0 or _alike(below)):
        return Estimate(a / b, a / b, a / b)
    of_a, of_b = (variance(group) / len(group) for group in (above, below))
    both = of_a + (a / b) ** 2 * of_b
    shares = of_a**2 / (len(above) - 1) + ((a / b) ** 2 * of_b) ** 2 / (len(below) - 1)
    t = float(stats.t.ppf((1 + confidence) / 2, both**2 / shares))
    if (rest := b**2 - t**2 * of_b) <= 0:
        return None
    half = t * sqrt(of_a * rest + a**2 * of_b)
    return Estimate(a / b, max((a * b - half) / rest, 0.0), (a * b + half) / rest)


def difference(
    minuend: Sequence[float], subtrahend: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate | None:
    """The difference of two means with Welch's interval (scipy); None with too few samples."""
    from scipy import stats

    if not _enough(minuend, subtrahend):
        return None
    value = fmean(minuend) - fmean(subtrahend)
    if _alike(minuend) and _alike(subtrahend):
        return Estimate(value, value, value)
    test = stats.ttest_ind(minuend, subtrahend, equal_var=False)
    interval = test.confidence_interval(confidence_level=confidence)
    return Estimate(value, float(interval.low), float(interval.high))


def contrast(
    terms: Sequence[tuple[float, Sequence[float]]], confidence: float = CONFIDENCE
) -> Estimate | None:
    """A weighted sum of means of independent groups; None with too few of one.

    Welch's interval for more than two groups: variances of the means add, and their degrees of
    freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).
    """
    from scipy import stats

    groups = [group for _, group in terms]
    if not _enough(*groups):
        return None
    value = sum(weight * fmean(group) for weight, group in terms)
    errors = [weight**2 * variance(group) / len(group) for weight, group in terms]
    if not any(errors):
        return Estimate(value, value, value)
    freedom = sum(errors) ** 2 / sum(e**2 / (len(g) - 1) for e, g in zip(errors, groups, strict=True))
    low, high = stats.t.interval(confidence, freedom, loc=value, scale=sqrt(sum(errors)))
    return Estimate(value, float(low), float(high))


def spread(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """Standard deviation as a share of the mean, with the interval of normal samples (chi-squared)."""
    from scipy import stats

    n = len(values)
    if n < ENOUGH_FOR_INTERVAL or not fmean(values) > 0:
        return None
    found = stdev(values) / fmean(values)
    low, high = stats.chi2.interval(confidence, n - 1)
    return Estimate(found, found * sqrt((n - 1) / high), found * sqrt((n - 1) / low))


def change(points: Sequence[tuple[float, float]]) -> float | None:
    """Return by how much a fitted line changes from the minimum to the maximum of the parameter.

    `points` are pairs of what was varied and what was measured, in one block. The change is a share of the
    mean of what was measured: −0.5 falls by half of it. None with too few places, or a mean of 0.
    """
    from scipy import stats

    varied, values = [x for x, _ in points], [y for _, y in points]
    if len(set(varied)) < ENOUGH_FOR_TREND or not fmean(values) > 0:
        return None
    slope = float(stats.linregress(varied, values).slope)
    return slope * (max(varied) - min(varied)) / fmean(values)


def _enough(*groups: Sequence[float]) -> bool:
    return all(len(group) >= ENOUGH_FOR_INTERVAL for group in groups)


def _alike(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= ALIKE * max(map(abs, values))


def _student(n: int, mean: float, sd: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    if sd == 0:
        return mean, mean
    from scipy import stats

    low, high = stats.t.interval(confidence, n - 1, loc=mean, scale=sd / n**0.5)
    return float(low), float(high)
