"""What the command line shows while a run works: the same on a terminal and in a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from time import monotonic, sleep

import pytest
from rich.console import Console

from lab.cli import console as shared
from lab.cli.console import progress, show
from lab.events import Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted, step
from lab.report.tables import Section, Table
from lab.runs.event_log import duration, line, logging

EVENTS = [
    StepStarted("weave: install"),
    StepDone("weave: install", 1.25, "6 hosts"),
    SampleStarted("weave/tcp/to=PRG", 2, 3, 4, 70, 125.0),
    SampleDone("weave/tcp/to=PRG", 2, "ok", "host-bound", {"sent_mbps": 20.0, "received_mbps": 19.125}),
    SampleDone("weave/latency/to=PRG", 1, "ok", "valid", {"mean_ms": 21.75}),
    SampleDone("weave/tcp/to=PRG", 3, "failed", "broken", {}),
    StepStarted("weave: ready"),
    StepFailed("weave: ready", 60.0),
    Note("weave is given up: [no] peers"),
]
LINES = [
    "weave: install …",
    "weave: install: done in 1.2 s (6 hosts)",
    "[5/70] weave/tcp/to=PRG, repetition 2 of 3, about 2:05 min left",
    "    19.12 Mbit/s (host-bound)",
    "    21.75 ms",
    "    failed (broken)",
    "weave: ready …",
    "weave: ready: failed after 1:00 min",
    "weave is given up: [no] peers",
]


def test_every_event_is_one_line() -> None:
    assert [line(event) for event in EVENTS] == LINES


def test_a_pipe_gets_plain_lines() -> None:
    file = io.StringIO()
    with progress(Console(file=file, width=20)) as emit:
        for event in EVENTS:
            emit(event)
    assert file.getvalue().splitlines() == LINES


def test_a_pipe_hears_of_a_step_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "BEAT", 0.02)
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


def test_a_log_has_the_same_lines_with_their_time(tmp_path: Path) -> None:
    seen: list[object] = []
    emit = logging(tmp_path / "log", seen.append)
    for event in EVENTS:
        emit(event)
    assert seen == EVENTS
    logged = (tmp_path / "log").read_text().splitlines()
    assert [entry.split(" ", 1)[1] for entry in logged] == LINES


def test_a_step_that_ends_in_an_error_is_over_too() -> None:
    seen: list[object] = []
    with pytest.raises(ValueError, match="no"), step(seen.append, "links"):
        raise ValueError("no")
    assert [type(event) for event in seen] == [StepStarted, StepFailed]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.9, "1:00 min"),
        (7265, "2:01:05 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize("width", [40, 200])
def test_a_table_on_a_terminal_has_every_cell(width: int) -> None:
    table = Table(
        "title", ["a", "b"], [Section("heading", [["1", "two [2–3]"]]), Section("alone", [])], ["note"]
    )
    file = io.StringIO()
    show(table, Console(file=file, force_terminal=True, width=width, color_system=None))
    for words in ("title", "heading", "two [2–3]", "alone", "note"):
        assert words in file.getvalue()
