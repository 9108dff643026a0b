"""Run folders that somebody else made: nothing is read or written outside them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cli.main import app
from lab.errors import RunError
from lab.report import export, html
from lab.runs import run_folder, run_folder_check
from lab.runs.run_folder import RunFolder
from tests.unit.fakes import new_folder
from tests.unit.lab.runs.test_run_folder import sample
from tests.unit.synthetic import throughput_run


def folder(tmp_path: Path, **more: Any) -> Path:
    with new_folder(tmp_path) as made:
        made.append(sample(**more), "raw")
    return made.path


def test_a_raw_file_is_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    path = folder(tmp_path)
    (found,) = run_folder.read(path).samples
    (path / "raw/link.txt").symlink_to(tmp_path / "secret")
    for raw in ("/dev/zero", "../secret", "raw/link.txt", "raw/a\0b", "raw"):
        odd = found.model_copy(update={"raw": raw})
        fault = run_folder_check.raw_fault(path, odd)
        assert fault.startswith("fake/x/to=PRG #1: "), raw
        assert "checksum" not in fault
        with pytest.raises(RunError):
            run_folder_check.raw_text(path, odd)


@pytest.mark.parametrize("name", ["samples.jsonl", "lock", "raw", "log", "hosts"])
def test_nothing_is_resumed_through_a_link(tmp_path: Path, name: str) -> None:
    path, victim = folder(tmp_path), tmp_path / "victim"
    if (path / name).is_dir():
        (path / name).rename(victim)
    else:
        victim.write_text("mine")
        (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(victim)
    with pytest.raises(RunError, match=r"is a link|leads out of"):
        RunFolder.resume(path)


def test_a_report_replaces_a_link_and_leaves_where_it_leads(tmp_path: Path) -> None:
    run, victim = throughput_run(tmp_path, 10), tmp_path / "victim"
    victim.write_text("mine")
    (run.path / html.PAGE).symlink_to(victim)
    done = CliRunner().invoke(app, ["report", str(run.path)])
    assert done.exit_code == 0, done.output
    assert victim.read_text() == "mine"
    assert "<html" in (run.path / html.PAGE).read_text()


def test_figures_are_not_drawn_through_a_link(tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 10)
    (tmp_path / "elsewhere").mkdir()
    (run.path / "figures").symlink_to(tmp_path / "elsewhere")
    done = CliRunner().invoke(app, ["report", str(run.path)])
    assert isinstance(done.exception, RunError)
    assert not list((tmp_path / "elsewhere").iterdir())


def latin(path: Path) -> None:
    (path / "manifest.json").write_bytes(b'{"run": "\xe9"}')


def samples_are_a_folder(path: Path) -> None:
    (path / "samples.jsonl").unlink()
    (path / "samples.jsonl").mkdir()


def profile(**more: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = json.loads((path / "manifest.json").read_text())
        data["profile"] = {"name": "quick", "repetitions": {"x": 1}, "seconds": {"x": 1.0}, **more}
        (path / "manifest.json").write_text(json.dumps({k: v for k, v in data.items() if v is not None}))

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (latin, "it is not UTF-8 text"),
        (samples_are_a_folder, "cannot be read: Is a directory"),
        (profile(repetitions={"x": "2"}), "profile"),
        (profile(seconds={"x": None}), "profile"),
        (profile(seconds=5), "profile"),
        (profile(repetitions=None), "profile"),
    ],
)
def test_a_folder_with_a_fault_is_named_and_the_others_stand(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    good, bad = (throughput_run(tmp_path / name, 10, run=name).path for name in ("good", "bad"))
    spoil(bad)
    with pytest.raises(RunError, match=said):
        run_folder.read(bad)
    done = CliRunner().invoke(app, ["report", "--claims", str(bad), str(good)])
    assert done.exit_code == 0, done.output
    assert said in done.output


def test_a_folder_called_schema_is_read_with_its_bad_line(tmp_path: Path) -> None:
    path = folder(tmp_path / "schema")
    with (path / "samples.jsonl").open("a") as file:
        file.write("{}\n")
    (fault,) = run_folder.read(path).faults
    assert fault.startswith("line 2 is no sample")


def test_cells_of_csv_are_no_formulas(tmp_path: Path) -> None:
    with new_folder(tmp_path) as made:
        made.append(sample(error='=HYPERLINK("x")', values={"mean_ms": -1.5}, params={"@x": "+1"}), "raw")
    export.write_csv(made.run.samples, tmp_path / "x.csv")
    (row,) = csv.DictReader((tmp_path / "x.csv").open())
    assert (row["error"], row["value.mean_ms"], row["param.@x"]) == ('\'=HYPERLINK("x")', "-1.5", "'+1")


def test_a_foreign_name_reaches_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(
        '{"graph": {"name": "\\u001b]0;PWN\\u0007"}, "nodes": [{"id": "a", "site": "AMS"}], "edges": []}'
    )
    for argv in (["show"], ["validate"], ["graph", "-o", str(tmp_path / "x.svg")]):
        done = CliRunner().invoke(app, [argv[0], str(tmp_path / "x.json"), *argv[1:]])
        assert done.exit_code == 0, done.output
        assert "\x1b" not in done.output
    assert b"\x1b" not in (tmp_path / "x.svg").read_bytes()
