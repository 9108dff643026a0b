"""Events as lines: the same on a console and in a run's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.runs.event_log import duration, line, logging
from tests.unit.told import EVENTS, LINES


def test_every_event_is_one_line() -> None:
    assert [line(event) for event in EVENTS] == LINES


def test_a_log_has_the_same_lines_with_their_time(tmp_path: Path) -> None:
    seen: list[object] = []
    emit = logging(tmp_path / "log", seen.append)
    for event in EVENTS:
        emit(event)
    assert seen == EVENTS
    logged = (tmp_path / "log").read_text().splitlines()
    assert [entry.split(" ", 1)[1] for entry in logged] == LINES


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
