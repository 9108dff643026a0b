"""Distributions of jitter, as netem's tables. No root."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.links import netem_tables
from lab.emulation.links.jitter import PARETO_DEVIATION, PARETO_MEAN, PARETO_MOST, WIDEST
from lab.topology.impairments import DISTRIBUTIONS


@pytest.mark.parametrize("name", ["normal", "uniform", "pareto"])
def test_tables_have_the_mean_and_the_deviation_that_was_asked(name: str) -> None:
    values = [int(word) / netem_tables.SCALE for word in netem_tables.table(name).split()]

    assert sum(values) / len(values) == pytest.approx(0.0, abs=0.03)
    assert sum(v * v for v in values) / len(values) == pytest.approx(1.0, abs=0.02)
    assert max(map(abs, values)) <= WIDEST
    assert max(int(word) for word in netem_tables.table(name).split()) < 2**15, "tc takes 16 bits"


@pytest.mark.parametrize(
    ("name", "share", "value"),
    [
        ("normal", 0.5, 0.0),
        ("normal", 0.8413447460685429, 1.0),
        ("normal", 1e-9, -WIDEST),
        ("uniform", 0.5, 0.0),
        ("uniform", 1.0, 3**0.5),
        ("pareto", 0.875, (2 - PARETO_MEAN) / PARETO_DEVIATION),
        ("pareto", 0.9999, (PARETO_MOST - PARETO_MEAN) / PARETO_DEVIATION),
    ],
)
def test_shares_of_a_distribution(name: str, share: float, value: float) -> None:
    assert netem_tables.quantile(name, share) == pytest.approx(value, abs=0.002)


def test_tables_are_written_once_under_the_names_that_tc_looks_for(tmp_path: Path) -> None:
    (tmp_path / "normal.dist").write_text("kept")
    netem_tables.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.dist" for name in DISTRIBUTIONS}
    assert (tmp_path / "normal.dist").read_text() == "kept"
    words = (tmp_path / "uniform.dist").read_text().split()
    assert (len(words), [int(word) for word in words] == sorted(map(int, words))) == (netem_tables.SIZE, True)
