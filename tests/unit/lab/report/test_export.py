"""`lab results`: rows for other programs, values derived again, and folders that are not whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.throughput import Throughput
from lab import catalog
from lab.cli.main import app
from lab.errors import MachineError
from lab.report import export
from lab.runs import verify
from lab.runs.manifest import OverlayState
from lab.runs.run_folder import RunFolder, read
from lab.runs.sample import Sample
from tests.paths import FIXTURES
from tests.unit.synthetic import synthetic

OUTPUTS = FIXTURES / "iperf3"
RAW = {"tcp": "tcp.json", "udp": "udp-8192.json", "udp1470": "udp-1470.json"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole run whose raw files are real reports of iperf3, and its values theirs."""
    experiment = Throughput()
    empty = synthetic(tmp_path, (), experiment=experiment, topology=catalog.topology("point_to_point"))
    with RunFolder.resume(empty.path) as open_folder:
        open_folder.manifest.overlays["underlay"] = OverlayState(state="ok")
        open_folder.save()
        topology = catalog.topology("point_to_point")
        for cell in experiment.cells(topology, "underlay", experiment.profiles["quick"]):
            raw = (OUTPUTS / RAW[cell.metric]).read_text()
            for repetition in range(1, cell.repetitions + 1):
                open_folder.append(_sample(cell.key, cell.metric, dict(cell.params), repetition, raw), raw)
    return empty.path


def _sample(key: str, metric: str, params: dict[str, str], repetition: int, raw: str) -> Sample:
    return Sample(
        run="5ynth1",
        cell=key,
        overlay="underlay",
        metric=metric,
        params=params,
        repetition=repetition,
        started="2030-01-02T03:04:05.000+00:00",
        seconds=1.0,
        outcome="ok",
        values=dict(Throughput().parse(metric, raw)),
    )


def lab(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_a_whole_run_is_whole(folder: Path) -> None:
    assert verify.faults(read(folder), Throughput()) == []
    status, said = lab("results", str(folder))
    assert status == 0, said
    assert "TCP, received, Mbit/s" in said


def test_csv_has_a_row_per_sample_and_what_is_missing_is_empty(folder: Path) -> None:
    status, _ = lab("results", str(folder), "--csv")
    assert status == 0
    with open(folder / "samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    tcp = next(row for row in rows if row["metric"] == "tcp")
    assert float(tcp["value.received_mbps"]) == read(folder).samples[0].values["received_mbps"]
    assert tcp["value.jitter_ms"] == ""
    assert tcp["param.from"] == "AMS"
    assert tcp["valid"] == "True"


def test_parquet_without_pyarrow_names_the_remedy(folder: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(MachineError, match="pip install pyarrow"):
            export.write_parquet(read(folder).samples, folder / "x.parquet")
        assert not (folder / "x.parquet").exists()
    else:
        export.write_parquet(read(folder).samples, folder / "x.parquet")
        assert (folder / "x.parquet").stat().st_size > 0


def test_pandas_reads_what_is_stored_and_what_is_exported(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    stored = pandas.read_json(folder / "samples.jsonl", lines=True)
    assert len(stored) == 15
    first = read(folder).samples[0]
    assert stored["values"][0] == dict(first.values)
    assert stored["cell"][0] == first.cell
    export.write_csv(read(folder).samples, folder / "x.csv")
    by_metric = pandas.read_csv(folder / "x.csv").groupby("metric")["value.received_mbps"].mean()
    assert by_metric["tcp"] == pytest.approx(first.values["received_mbps"])
    pytest.importorskip("pyarrow")
    export.write_parquet(read(folder).samples, folder / "x.parquet")
    assert list(pandas.read_parquet(folder / "x.parquet")["cell"]) == [s.cell for s in read(folder).samples]


def test_values_derived_again_are_those_that_were_stored(folder: Path) -> None:
    pairs = list(export.reparsed(read(folder), Throughput()))
    assert len(pairs) == 15
    assert [said for _, said in pairs if said] == []
    assert [sample for sample, _ in pairs] == list(read(folder).samples)


def test_an_edited_value_is_found_and_set_right_only_in_what_is_written(folder: Path) -> None:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    edited = json.loads(lines[0])
    edited["values"]["received_mbps"] = 12345.0
    (folder / "samples.jsonl").write_text("\n".join([json.dumps(edited), *lines[1:]]) + "\n")
    status, said = lab("results", str(folder), "--reparse", "--csv")
    assert status == 1
    assert "received_mbps differ from what was stored" in said
    assert "12345" not in (folder / "samples.csv").read_text()
    assert "12345" in (folder / "samples.jsonl").read_text()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: next((f / "raw").iterdir()).write_text("{}"), "its checksum differs"),
        (lambda f: next((f / "raw").iterdir()).unlink(), "cannot be read: No such file"),
        (
            lambda f: (f / "samples.jsonl").write_text(
                "".join((f / "samples.jsonl").read_text().splitlines(keepends=True)[1:])
            ),
            "1 of 3 cells lack samples",
        ),
        (
            lambda f: (f / "samples.jsonl").write_text((f / "samples.jsonl").read_text()[:-40]),
            "the last line ends in mid-air",
        ),
        (
            lambda f: (f / "samples.jsonl").write_text(
                (f / "samples.jsonl").read_text().replace("5ynth1", "0ther1", 1)
            ),
            "samples of other runs are among them: 0ther1",
        ),
        (
            lambda f: (f / "samples.jsonl").write_text("{}\n" + (f / "samples.jsonl").read_text()),
            "line 1 is no sample",
        ),
    ],
)
def test_what_is_not_whole_is_said_and_the_rest_is_read(folder: Path, harm: object, said: str) -> None:
    harm(folder)  # type: ignore[operator]
    status, output = lab("results", str(folder))
    assert status == 1
    assert said in output
    assert "TCP, received, Mbit/s" in output


def test_the_scorecard_of_a_run_is_printed(folder: Path) -> None:
    status, said = lab("scorecard", str(folder))
    assert status == 0
    assert "cannot be told" in said
    assert "no run of multihop" in said
