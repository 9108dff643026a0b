"""`lab scorecard`: folders that cannot be read, and runs that are missing."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lab.cli.main import app
from tests.unit.synthetic import recorded_run, throughput_run


def test_one_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    names = ("good", "old", "torn")
    good, old, torn = (throughput_run(tmp_path / name, 100, run=name).path for name in names)
    manifest = old / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    (torn / "samples.jsonl").write_text((torn / "samples.jsonl").read_text()[:-30])
    done = CliRunner().invoke(app, ["scorecard", str(good), str(old), str(torn)])
    assert done.exit_code == 0, done.output
    assert "has schema 99, this lab reads schema 1" in done.output
    assert "the last line ends in mid-air" in done.output
    assert "reproduced" in done.output
    page = tmp_path / "all.html"
    assert CliRunner().invoke(app, ["report", str(old), str(good), "-o", str(page)]).exit_code == 0
    assert "throughput" in page.read_text()


def test_the_scorecard_of_a_run_is_printed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["scorecard", str(recorded_run(tmp_path))])
    assert done.exit_code == 0
    assert "cannot be told" in done.output
    assert "no run of multihop" in done.output
