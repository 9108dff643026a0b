"""`lab report`: one page of several runs."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from typer.testing import CliRunner

from lab.cli.main import app
from tests.unit.synthetic import throughput_run


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
