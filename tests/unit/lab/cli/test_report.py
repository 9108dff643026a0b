"""`lab report`: one page of several runs; the answers to the claims; folders that cannot be read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from lab.cli.main import app
from lab.errors import UsageError
from tests.unit.fakes import new_folder
from tests.unit.synthetic import recorded_run, throughput_run


def test_the_verb_writes_one_page_of_several_runs(tmp_path: Path) -> None:
    runs = [throughput_run(tmp_path / "a", 100), throughput_run(tmp_path / "b", 50, run="0ther1")]
    folders = [run.path for run in runs]
    page = tmp_path / "all.html"
    done = CliRunner().invoke(app, ["report", *map(str, folders), "-o", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    ET.fromstring(re.sub(r"<(meta|img|br|input)([^>]*)>", r"<\1\2/>", text.removeprefix("<!doctype html>")))
    assert "Comparison of runs" in text
    assert "no run of multihop" in text
    assert text.count("<img ") == 4, "figure and topology of each"
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert len(text) < 5_000_000


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 1
    assert "is no run folder" in str(done.exception)


def test_one_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    names = ("good", "old", "torn")
    good, old, torn = (throughput_run(tmp_path / name, 100, run=name).path for name in names)
    manifest = old / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    (torn / "samples.jsonl").write_text((torn / "samples.jsonl").read_text()[:-30])
    done = CliRunner().invoke(app, ["report", "--claims", str(good), str(old), str(torn)])
    assert done.exit_code == 0, done.output
    assert "has schema 99, this lab reads schema 1" in done.output
    assert "the last line ends in mid-air" in done.output
    assert "reproduced" in done.output
    page = tmp_path / "all.html"
    assert CliRunner().invoke(app, ["report", str(old), str(good), "-o", str(page)]).exit_code == 0
    assert "throughput" in page.read_text()


def test_claims_of_which_none_can_be_answered_give_their_own_status(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--claims", str(new_folder(tmp_path).path)])
    assert done.exit_code == 3
    assert "cannot be told" in done.output
    assert "no run of multihop" in done.output


def test_claims_are_a_table_and_no_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--claims", str(recorded_run(tmp_path)), "-o", "x.html"])
    assert isinstance(done.exception, UsageError)


def test_a_run_that_one_may_only_read_gets_its_page_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = throughput_run(tmp_path / "roots", 100)
    before = sorted(run.path.rglob("*"))
    monkeypatch.setattr("os.access", lambda path, mode, **_: mode != os.W_OK)
    page = tmp_path / "mine.html"
    done = CliRunner().invoke(app, ["report", str(run.path), "-o", str(page)])
    assert done.exit_code == 0, done.output
    assert page.read_text().count("<img ") == 2, "figure and topology"
    assert sorted(run.path.rglob("*")) == before
