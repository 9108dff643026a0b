"""The lab in Python, as far as nothing is built."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.errors import LabError, MachineError, RunError, UnknownName
from tests.paths import ROOT
from tests.unit.synthetic import recorded_run, throughput_run


def test_importing_the_package_costs_nothing_and_the_facade_is_there() -> None:
    code = "import sys, lab; print({'networkx', 'lab.api'} & set(sys.modules)); print(lab.Lab.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "Lab"]


def test_a_lab_that_is_not_up_says_so() -> None:
    from lab import Lab

    with pytest.raises(LabError, match="not up"):
        Lab("linear")["AMS"]


def test_an_experiment_of_a_lab_can_be_named_before_it_is_up() -> None:
    from lab import Lab

    experiment = Lab("linear").experiment("multihop", repetitions=3)
    with pytest.raises(LabError, match="not up"):
        experiment.run()
    with pytest.raises(UnknownName, match="did you mean 'multihop'"):
        Lab("linear").experiment("multihopp")


def test_a_clock_costs_and_links_that_cannot_be_are_refused_before_anything_is_begun() -> None:
    from lab import Lab

    with pytest.raises(UnknownName, match="did you mean 'virtual'"):
        Lab("linear", clock="virtuel")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="costs are for virtual time"):
        Lab("linear", costs={"weaver": 50})
    with pytest.raises(LabError, match="the highest price is"):
        Lab("linear", rate=10, clock="virtual", costs={"weaver": 2e6})
    with pytest.raises(LabError, match="link AMS-PRG has no rate, and virtual time has no limit of its own"):
        Lab("linear", clock="virtual")


def test_results_are_the_table_that_the_verb_writes(tmp_path: Path) -> None:
    import lab
    from lab.cli.main import app

    pandas = pytest.importorskip("pandas")
    folder = recorded_run(tmp_path)
    table = lab.results(folder)
    assert isinstance(table, pandas.DataFrame)
    assert CliRunner().invoke(app, ["results", str(folder), "--csv"]).exit_code == 0
    with open(folder / "samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(table.columns) == list(rows[0])
    assert len(table) == len(rows) == 18
    counted = [row for row in rows if row["valid"] == "True" and row["metric"] == "tcp"]
    assert counted
    found = table[table["valid"] & (table["metric"] == "tcp")]["value.received_mbps"]
    assert list(found) == [float(row["value.received_mbps"]) for row in counted]


def test_results_of_several_runs_are_one_table(tmp_path: Path) -> None:
    import lab

    pytest.importorskip("pandas")
    one, other = (throughput_run(tmp_path / name, 50, run=name).path for name in ("one", "other"))
    table = lab.results(one, str(other))
    assert len(table) == 2 * len(lab.results(one))
    assert list(table["cell"]) == 2 * list(lab.results(other)["cell"])


def test_results_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lab

    with pytest.raises(RunError, match="is no run folder"):
        lab.results(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not installed
    with pytest.raises(MachineError, match="pip install pandas, or use lab results --csv"):
        lab.results(throughput_run(tmp_path / "one", 50).path)
