"""Every cell in figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.report import cell_stats
from lab.runs.sample import Verdict
from tests.unit.synthetic import throughput_run


def test_a_cell_has_its_numbers_and_no_statistic_of_too_few(tmp_path: Path) -> None:
    spoilt = throughput_run(
        tmp_path,
        100,
        repetitions=3,
        verdict=lambda cell, n: Verdict(state="emulator-bound" if n == 1 else "valid"),
    )
    row = dict(zip(cell_stats.COLUMNS, cell_stats.rows(spoilt)[0], strict=True))
    assert (row["valid"], row["not valid"], row["failed"]) == ("2", "1", "0")
    assert row["mean"] != "–"
    assert (row["median"], row["95 % from"], row["to"]) == ("–", "–", "–")


def test_a_cell_of_which_each_sample_collapsed_has_a_row_without_numbers(tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 100, repetitions=3)
    gone = {"outcome": "failed", "collapsed": True, "values": {}}
    run = replace(run, samples=[sample.model_copy(update=gone) for sample in run.samples])
    row = dict(zip(cell_stats.COLUMNS, cell_stats.rows(run)[0], strict=True))
    assert (row["collapsed"], row["mean"]) == ("3", "–")
