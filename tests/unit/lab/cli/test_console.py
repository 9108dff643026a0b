"""What the command line shows while a run works: the same on a terminal and in a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from time import monotonic, sleep

import pytest
from rich.console import Console

from lab.app.request import load_experiment
from lab.cli import console as drawing
from lab.cli.console import progress, show, show_results
from lab.events import StepDone, StepStarted
from lab.report.tables import Section, Table
from tests.unit.synthetic import synthetic
from tests.unit.told import EVENTS, LINES


def test_a_pipe_gets_plain_lines() -> None:
    file = io.StringIO()
    with progress(Console(file=file, width=20)) as emit:
        for event in EVENTS:
            emit(event)
    assert file.getvalue().splitlines() == LINES


def test_a_pipe_hears_of_a_step_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "BEAT", 0.02)
    file = io.StringIO()
    with progress(Console(file=file)) as emit:
        emit(StepStarted("image lab/host"))
        deadline = monotonic() + 10
        while "at work since" not in file.getvalue() and monotonic() < deadline:
            sleep(0.01)
        emit(StepDone("image lab/host", 0.1))
        said = file.getvalue().splitlines()
        sleep(0.1)
    assert said[1].startswith("image lab/host: at work since ")
    assert file.getvalue().splitlines() == said


def test_a_terminal_shows_what_is_under_way_and_keeps_what_is_done() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with progress(console) as emit:
        for event in EVENTS:
            emit(event)
    text = file.getvalue()
    assert "✓ weave: install: done in 1.2 s (6 hosts)" in text
    assert "weave/tcp/to=PRG #2  19.12 Mbit/s  host-bound" in text
    assert "weave is given up: [no] peers" in text


@pytest.mark.parametrize("width", [40, 200])
def test_a_table_on_a_terminal_has_every_cell(width: int) -> None:
    table = Table(
        "title", ["a", "b"], [Section("heading", [["1", "two [2–3]"]]), Section("alone", [])], ["note"]
    )
    file = io.StringIO()
    show(table, Console(file=file, force_terminal=True, width=width, color_system=None))
    for words in ("title", "heading", "two [2–3]", "alone", "note"):
        assert words in file.getvalue()


def test_the_main_job_ends_with_its_questions_and_their_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = synthetic(tmp_path)
    show_results(load_experiment("multihop"), run.path)
    out = capsys.readouterr().out
    ending = out[out.index("report.html") :].splitlines()[2:]
    questions = [number for number, line in enumerate(ending) if line.endswith("research question 1)")]
    assert questions == [0]
    first = ending[: ending.index("", 1)]
    assert [line[:4] for line in first[1:]] == ["  Wh", "  Su", "  - ", "  - ", "  - "]
    assert "'lab run throughput' would tell." in first[1]
    assert "times as much (libnetwork from 1422 to 1470 bytes)" in first[2]
    assert (
        ending[len(first) + 1] == "Why does TCP drop after the first hop? (Zismer 2016, research question 2)"
    )
    assert ending[-1].startswith("  - ")
    assert "Why does TCP drop after the first hop?" in (run.path / "report.html").read_text()
