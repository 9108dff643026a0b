"""Runs of one experiment beside each other."""

from __future__ import annotations

from pathlib import Path

from lab.report import comparison
from tests.unit.synthetic import throughput_run


def test_two_runs_stand_side_by_side_with_ratios_and_what_was_different(tmp_path: Path) -> None:
    one = throughput_run(tmp_path / "a", 100)
    other = throughput_run(tmp_path / "b", 50, run="0ther1", environment={"kernel": "6.18"})
    (table,) = comparison.tables([one, other])
    ratios, different = table.sections
    assert all(row[-1].startswith("0.50 [") for row in ratios.rows)
    assert ["kernel", "6.1", "6.18"] in [list(row[:3]) for row in different.rows]
    assert all(len(row) == len(table.columns) for section in table.sections for row in section.rows)


def test_one_run_alone_stands_beside_nothing(tmp_path: Path) -> None:
    assert list(comparison.tables([throughput_run(tmp_path, 100)])) == []
