"""Statistics against known values, and what they must hold to for any samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.report.selection import Group, text
from lab.report.statistics import Summary, summary, total

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


def test_equal_samples_have_an_interval_of_no_width() -> None:
    assert summary([2.0, 2.0, 2.0]) == Summary(3, 2.0, 0.0, 2.0, 2.0)


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


def test_an_interval_covers_the_truth_about_95_times_in_100() -> None:
    chance = np.random.default_rng(1)
    covered = 0
    for row in chance.normal(20.0, 3.0, size=(2000, 5)):
        found = summary(list(row))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 20.0 <= found.high
    assert 0.93 < covered / 2000 < 0.97


def test_sums_add_means_and_variances() -> None:
    assert total([Summary(3, 20.0, 0.3), Summary(5, 5.0, 0.4)]) == Summary(3, 25.0, pytest.approx(0.5))
    assert total([Summary(3, 20.0, 0.3), Summary(1, 5.0)]).sd is None


def test_a_group_counts_the_valid_and_marks_the_rest() -> None:
    assert text(Group([21.7, 21.8, 21.9], [])) == "21.80 ± 0.10 [21.55–22.05]"
    assert text(Group([20.0, 21.0, 22.0], [99.0]), 1) == "21.0 ± 1.0 [18.5–23.5] (3 of 4 valid)"
    assert text(Group([], [5.0, 6.0, 7.0]), 1) == "6.0 ± 1.0 (none of 3 valid)"
    assert text(Group([5.0], []), 1) == "5.0"
    assert text(Group([], [])) == "–"
