"""Distributions of jitter, as netem's tables. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links import netem_tables
from lab.emulation.links.jitter import WIDEST


@pytest.mark.parametrize("name", ["normal", "uniform", "pareto"])
def test_tables_have_the_mean_and_the_deviation_that_was_asked(name: str) -> None:
    values = [int(word) / netem_tables.SCALE for word in netem_tables.table(name).split()]

    assert sum(values) / len(values) == pytest.approx(0.0, abs=0.03)
    assert sum(v * v for v in values) / len(values) == pytest.approx(1.0, abs=0.02)
    assert max(map(abs, values)) <= WIDEST
