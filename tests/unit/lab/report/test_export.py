"""Samples as rows for other programs, and their values derived again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.throughput import Throughput
from lab.errors import MachineError
from lab.report import export
from lab.runs.run_folder import read
from tests.unit.synthetic import recorded_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded_run(tmp_path)


def test_parquet_without_pyarrow_names_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match="pip install pyarrow"):
        export.write_parquet(read(folder).samples, folder / "x.parquet")
    assert not (folder / "x.parquet").exists()


def test_pandas_reads_what_is_stored_and_what_is_exported(folder: Path) -> None:
    import pandas

    stored = pandas.read_json(folder / "samples.jsonl", lines=True)
    assert len(stored) == len(read(folder).samples)
    first = read(folder).samples[0]
    assert stored["values"][0] == dict(first.values)
    assert stored["cell"][0] == first.cell
    export.write_csv(read(folder).samples, folder / "x.csv")
    by_metric = pandas.read_csv(folder / "x.csv").groupby("metric")["value.received_mbps"].mean()
    assert by_metric["tcp"] == pytest.approx(first.values["received_mbps"])
    export.write_parquet(read(folder).samples, folder / "x.parquet")
    assert list(pandas.read_parquet(folder / "x.parquet")["cell"]) == [s.cell for s in read(folder).samples]


def test_values_derived_again_are_those_that_were_stored(folder: Path) -> None:
    pairs = list(export.reparsed(read(folder), Throughput()))
    assert len(pairs) == 18
    assert [said for _, said in pairs if said] == []
    assert [sample for sample, _ in pairs] == list(read(folder).samples)
