"""Statistics against known values, and what they must hold to for any samples."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.statistics import (
    Estimate,
    Summary,
    change,
    components,
    contrast,
    difference,
    location,
    ratio,
    spread,
    summary,
    total,
    without_machines,
)

NUMBERS = st.lists(st.floats(0.1, 1e4), min_size=3, max_size=30)


def alone(values: Sequence[float]) -> list[list[float]]:
    """Samples each of which has a bring-up of its own."""
    return [[value] for value in values]


def test_a_textbook_case() -> None:
    """Ten values with mean 5 and s = 2.5; t(0.975, 9) = 2.2622 (any table of Student's t)."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    found = summary(alone(values))
    assert found is not None
    assert (found.n, found.blocks) == (10, 10)
    assert found.mean == 5.0
    assert found.sd == pytest.approx(2.5820, abs=1e-4)
    assert found.low == pytest.approx(5 - 2.2622 * 2.5820 / 10**0.5, abs=1e-3)
    assert found.high == pytest.approx(5 + 2.2622 * 2.5820 / 10**0.5, abs=1e-3)


def test_too_few_samples_for_a_statistic_give_none() -> None:
    assert summary([]) is None
    assert summary([[], []]) is None
    assert summary([[3.0]]) == Summary(1, 3.0)
    two = summary([[1.0], [3.0]])
    assert two == Summary(2, 2.0, pytest.approx(2**0.5), blocks=2)
    assert two.median is None


def test_samples_of_one_bring_up_have_no_interval_however_many_they_are() -> None:
    found = summary([[1.0, 2.0, 3.0, 4.0] * 10])
    assert found is not None
    assert (found.n, found.low, found.between) == (40, None, None)
    assert found.within == found.sd


def test_deviations_between_and_within_are_told_apart() -> None:
    """Three blocks of two: means 2, 4, 9; within each the two differ by 2, so s² = 2 there."""
    found = summary([[1.0, 3.0], [3.0, 5.0], [8.0, 10.0]])
    assert found is not None
    assert found.mean == 5.0
    assert found.within == pytest.approx(2**0.5)
    assert found.between == pytest.approx((13 - 2 / 2) ** 0.5)
    # and where blocks differ by less than their samples make of it, they have nothing of their own
    assert components([[1.0, 9.0], [2.0, 8.0]]) == (0.0, pytest.approx(5**0.5 * 5**0.5))


def test_equal_samples_have_an_interval_of_no_width() -> None:
    same = summary(alone([2.0] * 30))
    assert same is not None
    assert (same.mean, same.sd, same.low, same.high) == (2.0, 0.0, 2.0, 2.0)


@given(NUMBERS)
def test_an_interval_is_around_its_mean(values: list[float]) -> None:
    found = summary(alone(values))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high


@given(NUMBERS, st.floats(0.01, 100))
def test_another_unit_changes_nothing_but_the_scale(values: list[float], scale: float) -> None:
    one, other = summary(alone(values)), summary(alone([v * scale for v in values]))
    assert one is not None
    assert other is not None
    for a, b in ((one.mean, other.mean), (one.sd, other.sd), (one.low, other.low), (one.high, other.high)):
        assert a is not None
        assert b == pytest.approx(a * scale, rel=1e-6, abs=1e-6 * scale * one.mean)


def drawn(
    sizes: Sequence[int], between: float, within: float, rows: int, seed: int
) -> Iterator[list[list[float]]]:
    """Rows of blocks of these sizes around 20, each block with an effect of its own."""
    chance = np.random.default_rng(seed)
    for _ in range(rows):
        effects = chance.normal(20.0, between, len(sizes))
        yield [chance.normal(mean, within, n).tolist() for mean, n in zip(effects, sizes, strict=True)]


BLOCKS = [(2, 2, 2), (1, 2, 3), (1, 2, 2, 3, 5), (1,) * 20]


@pytest.mark.parametrize("sizes", BLOCKS, ids=str)
@pytest.mark.parametrize(("between", "within"), [(3.0, 1.0), (0.0, 1.0)])
def test_an_interval_of_blocks_covers_the_truth_95_times_in_100(
    sizes: Sequence[int], between: float, within: float
) -> None:
    rows = 3000
    held = 0
    for blocks in drawn(sizes, between, within, rows, seed=sum(sizes)):
        found = location([fmean(block) for block in blocks])
        assert found is not None
        held += found.low <= 20.0 <= found.high
    assert held / rows == pytest.approx(0.95, abs=0.01)


def test_an_interval_of_samples_as_if_they_were_independent_does_not() -> None:
    held = 0
    for blocks in drawn((5,) * 4, 3.0, 1.0, 1000, seed=9):
        found = location([value for block in blocks for value in block])
        assert found is not None
        held += found.low <= 20.0 <= found.high
    assert held < 700


@pytest.mark.parametrize("sizes", [((2, 2, 2), (1, 2, 3)), ((1,) * 20, (1,) * 20)], ids=str)
def test_ratios_and_differences_of_blocks_cover_the_truth_95_times_in_100(
    sizes: tuple[Sequence[int], Sequence[int]],
) -> None:
    """With three blocks each Welch's interval is a little too wide, and never too narrow."""
    rows = 1000
    one, other = (drawn(size, 1.0, 0.5, rows, seed=n) for n, size in enumerate(sizes))
    pairs = [([fmean(b) for b in x], [fmean(b) for b in y]) for x, y in zip(one, other, strict=True)]
    most = 0.985 if min(map(len, sizes)) < 5 else 0.97
    assert 0.935 < covered([difference(a, b) for a, b in pairs], 0.0) < most
    assert 0.935 < covered([ratio(a, b) for a, b in pairs], 1.0) < most


def covered(intervals: list[Estimate | None], truth: float) -> float:
    """The share of intervals that hold the truth."""
    held = [found is not None and found.low <= truth <= found.high for found in intervals]
    return sum(held) / len(held)


def test_ratios_and_differences_cover_the_truth_too() -> None:
    chance = np.random.default_rng(2)
    above, below = chance.normal(30, 2, size=(600, 4)), chance.normal(20, 3, size=(600, 3))
    pairs = list(zip(above.tolist(), below.tolist(), strict=True))
    assert 0.92 < covered([difference(a, b) for a, b in pairs], 10.0) < 0.985
    assert 0.92 < covered([ratio(a, b) for a, b in pairs], 1.5) < 0.985


def test_what_came_to_nothing_in_a_sample_has_a_ratio_too() -> None:
    # a draw like a throughput that stalls now and then: never below zero, and a zero in every row
    chance = np.random.default_rng(5)
    above = np.maximum(chance.normal(8, 2, size=(600, 5)), 0)
    below = chance.normal(40, 4, size=(600, 5))
    pairs = [([0.0, *a], b) for a, b in zip(above.tolist(), below.tolist(), strict=True)]
    # what is estimated does not change with the zero
    none, little = ratio([0.0, 4.0, 8.0], [8.0] * 3), ratio([1e-9, 4.0, 8.0], [8.0] * 3)
    assert none is not None
    assert little is not None
    assert (none.value, none.low, none.high) == pytest.approx((little.value, little.low, little.high))
    # the mean of five draws and a zero
    assert 0.9 < covered([ratio(a, b) for a, b in pairs], 5 / 6 * 8 / 40) <= 1
    # nothing at all is none of the other
    assert ratio([0.0] * 3, [1.0, 2.0, 3.0]) == Estimate(0.0, 0.0, 0.0)
    # another unit changes nothing
    one, other = ratio([0.0, 1.0, 2.0], [9.0, 10.0, 11.0]), ratio([0.0, 8.0, 16.0], [72.0, 80.0, 88.0])
    assert one is not None
    assert other is not None
    assert one.value == pytest.approx(0.1)
    assert one.low < one.value < one.high
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


def test_fieller_covers_the_truth() -> None:
    chance = np.random.default_rng(6)
    above, below = chance.normal(10, 3, size=(800, 5)), chance.normal(40, 4, size=(800, 4))
    pairs = list(zip(above.tolist(), below.tolist(), strict=True))
    assert 0.93 < covered([ratio(a, b, 0.95) for a, b in pairs], 0.25) < 0.98


def test_sums_of_means_cover_the_truth() -> None:
    chance = np.random.default_rng(3)
    rows = [[chance.normal(mean, 0.5, size=4).tolist() for mean in (60, 20, 30, 10)] for _ in range(600)]
    assert (
        0.93
        < covered([contrast([(1, row[0]), *((-1, part) for part in row[1:])]) for row in rows], 0.0)
        < 0.98
    )


def test_spreads_cover_the_truth() -> None:
    chance = np.random.default_rng(4)
    assert 0.93 < covered([spread(row.tolist()) for row in chance.normal(50, 1, (600, 5))], 0.02) < 0.97


@given(NUMBERS, NUMBERS, st.floats(0.01, 100))
def test_a_ratio_does_not_change_with_the_unit_and_turns_round(
    above: list[float], below: list[float], scale: float
) -> None:
    one, other = ratio(above, below), ratio([v * scale for v in above], [v * scale for v in below])
    turned = ratio(below, above)
    if one is None or turned is None:  # the one below may be nothing, by its own interval
        return
    assert other is not None
    for a, b, c in (
        (one.value, other.value, turned.value),
        (one.low, other.low, turned.high),
        (one.high, other.high, turned.low),
    ):
        assert b == pytest.approx(a, rel=1e-5)
        assert c == pytest.approx(1 / a, rel=1e-5)


def test_a_ratio_of_too_few_samples_or_of_nothing_is_none() -> None:
    assert ratio([1.0, 2.0], [1.0, 2.0, 3.0]) is None
    assert ratio([1.0, 2.0, 3.0], [0.0, 1.0, 2.0]) is None
    assert ratio([0.0, 1.0, 2.0], [0.1, 0.1, 20.0]) is None, "what it is held against may be nothing"
    assert ratio([-1.0, 2.0, 3.0], [1.0, 1.0, 2.0]) is None
    assert difference([1.0] * 3, [2.0]) is None
    assert contrast([(1, [1.0] * 3), (-1, [1.0, 2.0])]) is None
    assert spread([1.0, 2.0]) is None
    assert ratio([4.0] * 3, [2.0] * 3) == Estimate(2.0, 2.0, pytest.approx(2.0))


def test_a_change_is_that_of_a_fitted_line_as_a_share_of_the_mean() -> None:
    places = [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert change([(x, 150 - x) for x in places]) == pytest.approx(-1.0)
    assert change([(x, 100 + x / 10) for x in places]) == pytest.approx(10 / 105)
    assert change([(x, 3.0) for x in places]) == pytest.approx(0)
    assert change([(x, 0.0) for x in places]) is None
    assert change([(x, x) for x in places[:3]]) is None


def test_the_median_does_not_follow_an_outlier() -> None:
    found = summary(alone([1.0, 2.0, 3.0, 4.0, 1000.0]))
    assert found is not None
    assert found.median == 3.0


def test_sums_add_means_and_variances() -> None:
    assert total([Summary(3, 20.0, 0.3), Summary(5, 5.0, 0.4)]) == Summary(3, 25.0, pytest.approx(0.5))
    assert total([Summary(3, 20.0, 0.3), Summary(1, 5.0)]).sd is None


def blocks_of_machines(chance: random.Random, counts: Sequence[int]) -> tuple[list[float], list[str]]:
    """Means of blocks on machines that differ by ten times what blocks differ by."""
    own = [chance.gauss(0, 10) for _ in counts]
    shift = fmean(own)  # so that the mean over these machines is known
    names = [str(number) for number, count in enumerate(counts) for _ in range(count)]
    return [100 + own[int(name)] - shift + chance.gauss(0, 1) for name in names], names


@pytest.mark.parametrize("counts", [(3, 3), (5, 5, 5, 5), (2, 6), (10, 3, 4)])
def test_an_interval_without_machines_has_the_true_mean_in_95_of_100_draws(counts: tuple[int, ...]) -> None:
    chance, times, hits, plain, widths = random.Random(5), 2000, 0, 0, []
    for _ in range(times):
        means, names = blocks_of_machines(chance, counts)
        found = location(without_machines(means, names))
        assert found is not None
        hits += found.low <= 100 <= found.high
        widths.append(found.high - found.low)
        whole = location(means)
        assert whole is not None
        plain += whole.high - whole.low
    assert hits / times == pytest.approx(0.95, abs=0.015)
    assert sum(widths) < plain / 3  # what machines differ by is not in it


def test_machines_are_left_in_where_an_interval_without_them_would_have_no_ground() -> None:
    assert without_machines([1.0, 2.0, 3.0], ["a", "b", "c"]) == [1.0, 2.0, 3.0]
    assert without_machines([1.0, 2.0, 3.0], ["a", "a", "b"]) == [1.0, 2.0, 3.0]
    assert without_machines([1.0, 2.0, 3.0], ["a"] * 3) == [1.0, 2.0, 3.0]
    assert without_machines([1.0, 2.0, 3.0], []) == [1.0, 2.0, 3.0]


def test_a_summary_of_two_machines_is_the_mean_of_their_means() -> None:
    found = summary([[10.0], [10.2], [9.8], [20.0], [20.2], [19.8]], ["a", "a", "a", "b", "b", "b"])
    assert found is not None
    assert found.mean == pytest.approx(15.0)
    assert found.low == pytest.approx(15.0 - 2.776 * 0.2 / sqrt(6), abs=1e-3)
