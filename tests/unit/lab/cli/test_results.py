"""`lab results`: rows for other programs, values derived again, and folders that are not whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.throughput import Throughput
from lab.cli.main import app
from lab.runs import run_folder_check
from lab.runs.run_folder import read
from tests.unit.synthetic import recorded_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded_run(tmp_path)


def lab(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_a_whole_run_is_whole(folder: Path) -> None:
    assert run_folder_check.faults(read(folder), Throughput()) == []
    status, said = lab("results", str(folder))
    assert status == 0, said
    assert "TCP, received, Mbit/s" in said
    # and it ends with what became of the studies' claims
    assert said.index("TCP, received, Mbit/s") < said.index("claims: ")
    assert "The UDP throughput of the overlays is merely half of that of the machine" in said


def test_csv_has_a_row_per_sample_and_what_is_missing_is_empty(folder: Path) -> None:
    status, _ = lab("results", str(folder), "--csv")
    assert status == 0
    with open(folder / "samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    tcp = next(row for row in rows if row["metric"] == "tcp")
    assert float(tcp["value.received_mbps"]) == read(folder).samples[0].values["received_mbps"]
    assert tcp["value.jitter_ms"] == ""
    assert tcp["param.from"] == "AMS"
    assert tcp["valid"] == "True"


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
            "1 of 3 cells of bring-up 1 lack samples",
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
