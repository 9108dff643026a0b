"""Statistics against known values, and what they must hold to for any samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.statistics import (
    BOOTSTRAP,
    STUDENT,
    Estimate,
    Summary,
    corrected,
    difference,
    excess,
    ratio,
    ratio_of_means,
    spread,
    summary,
    total,
    trend,
)

NUMBERS = st.lists(st.floats(0.1, 1e4), min_size=3, max_size=30)


def test_a_textbook_case() -> None:
    """Ten values with mean 5 and s = 2.5; t(0.975, 9) = 2.2622 (any table of Student's t)."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    found = summary(values)
    assert found is not None
    assert found.n == 10
    assert found.mean == 5.0
    assert found.sd == pytest.approx(2.5820, abs=1e-4)
    assert found.low == pytest.approx(5 - 2.2622 * 2.5820 / 10**0.5, abs=1e-3)
    assert found.high == pytest.approx(5 + 2.2622 * 2.5820 / 10**0.5, abs=1e-3)


def test_too_few_samples_for_a_statistic_give_none() -> None:
    assert summary([]) is None
    assert summary([3.0]) == Summary(1, 3.0)
    two = summary([1.0, 3.0])
    assert two == Summary(2, 2.0, pytest.approx(2**0.5))
    assert two.median is None


def test_equal_samples_have_an_interval_of_no_width() -> None:
    assert summary([2.0, 2.0, 2.0]) == Summary(3, 2.0, 0.0, 2.0, 2.0, 2.0, STUDENT)
    same = summary([2.0] * 30)
    assert same is not None
    assert (same.low, same.high) == (2.0, 2.0)


@given(NUMBERS)
def test_an_interval_is_around_its_mean(values: list[float]) -> None:
    found = summary(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high


@given(NUMBERS, st.floats(0.01, 100))
def test_another_unit_changes_nothing_but_the_scale(values: list[float], scale: float) -> None:
    one, other = summary(values), summary([v * scale for v in values])
    assert one is not None
    assert other is not None
    for a, b in ((one.mean, other.mean), (one.sd, other.sd), (one.low, other.low), (one.high, other.high)):
        assert a is not None
        assert b == pytest.approx(a * scale, rel=1e-6, abs=1e-6 * scale * one.mean)


@pytest.mark.parametrize(
    ("n", "rows", "method"), [(3, 1000, STUDENT), (5, 1000, STUDENT), (20, 400, BOOTSTRAP)]
)
def test_an_interval_covers_the_truth_about_95_times_in_100(n: int, rows: int, method: str) -> None:
    chance = np.random.default_rng(1)
    covered = 0
    for row in chance.normal(20.0, 3.0, size=(rows, n)):
        found = summary(list(row))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.method == method
        covered += found.low <= 20.0 <= found.high
    assert 0.9 < covered / rows < 0.98


def covered(intervals: list[Estimate | None], truth: float) -> float:
    """The share of intervals that hold the truth."""
    held = [found is not None and found.low <= truth <= found.high for found in intervals]
    return sum(held) / len(held)


def test_ratios_and_differences_cover_the_truth_too() -> None:
    chance = np.random.default_rng(2)
    above, below = chance.normal(30, 2, size=(600, 4)), chance.normal(20, 3, size=(600, 3))
    pairs = list(zip(above.tolist(), below.tolist(), strict=True))
    assert 0.92 < covered([difference(a, b) for a, b in pairs], 10.0) < 0.985
    logs = [([float(np.exp(v / 30)) for v in a], [float(np.exp(v / 30)) for v in b]) for a, b in pairs]
    assert 0.92 < covered([ratio(a, b) for a, b in logs], float(np.exp(10 / 30))) < 0.985


def test_what_came_to_nothing_in_a_sample_has_a_ratio_too() -> None:
    # a draw like a throughput that stalls now and then: never below zero, and a zero in every row
    chance = np.random.default_rng(5)
    above = np.maximum(chance.normal(8, 2, size=(600, 5)), 0)
    below = chance.normal(40, 4, size=(600, 5))
    pairs = [([0.0, *a], b) for a, b in zip(above.tolist(), below.tolist(), strict=True)]
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
    assert 0.93 < covered([ratio_of_means(a, b, 0.95) for a, b in pairs], 0.25) < 0.98


def test_a_path_that_costs_no_more_than_its_segments_is_found_so() -> None:
    chance = np.random.default_rng(3)
    rows = [[chance.normal(mean, 0.5, size=4).tolist() for mean in (60, 20, 30, 10)] for _ in range(600)]
    assert 0.93 < covered([excess(row[0], row[1:]) for row in rows], 0.0) < 0.98


def test_spreads_cover_the_truth() -> None:
    chance = np.random.default_rng(4)
    assert 0.93 < covered([spread(row.tolist()) for row in chance.normal(50, 1, (600, 5))], 0.02) < 0.97


@given(NUMBERS, NUMBERS, st.floats(0.01, 100))
def test_a_ratio_does_not_change_with_the_unit_and_turns_round(
    above: list[float], below: list[float], scale: float
) -> None:
    one, other = ratio(above, below), ratio([v * scale for v in above], [v * scale for v in below])
    turned = ratio(below, above)
    assert one is not None
    assert other is not None
    assert turned is not None
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
    assert excess([1.0] * 3, []) is None
    assert spread([1.0, 2.0]) is None
    assert ratio([4.0] * 3, [2.0] * 3) == Estimate(2.0, 2.0, pytest.approx(2.0))


def test_a_trend_is_found_where_there_is_one_and_only_there() -> None:
    places = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rising = trend(places, [1.0, 2.0, 2.5, 4.0, 5.0, 9.0])
    assert rising is not None
    assert rising.tau == pytest.approx(1.0)
    assert rising.p_rising == pytest.approx(1 / 720)
    assert rising.p_falling > 0.99
    level = trend(places, [3.0] * 6)
    assert level is not None
    assert level.p_rising == level.p_falling == 1.0
    assert trend(places[:3], [1.0, 2.0, 3.0]) is None


def test_corrections_never_make_a_finding_surer() -> None:
    """Benjamini and Yekutieli 2001 for three equal p: times the sum of 1, 1/2 and 1/3."""
    assert corrected([0.01, 0.01, 0.01]) == pytest.approx([0.01 * (1 + 1 / 2 + 1 / 3)] * 3)
    assert corrected([]) == []
    assert all(after >= before for before, after in zip([0.01, 0.2], corrected([0.01, 0.2]), strict=True))


def test_the_median_does_not_follow_an_outlier() -> None:
    found = summary([1.0, 2.0, 3.0, 4.0, 1000.0])
    assert found is not None
    assert found.median == 3.0


def test_sums_add_means_and_variances() -> None:
    assert total([Summary(3, 20.0, 0.3), Summary(5, 5.0, 0.4)]) == Summary(3, 25.0, pytest.approx(0.5))
    assert total([Summary(3, 20.0, 0.3), Summary(1, 5.0)]).sd is None
