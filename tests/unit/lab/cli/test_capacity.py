"""lab capacity, as far as nothing is built."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.app import capacity
from lab.cli.main import app
from lab.errors import UsageError
from lab.runs.capacity import Capacity, CapacityTrial


@pytest.mark.parametrize(("rate", "status"), [(31.0, 0), (None, 1)])
def test_the_verb_prints_words_or_one_line_of_json(
    monkeypatch: pytest.MonkeyPatch, rate: float | None, status: int
) -> None:
    above = CapacityTrial(40.0, "underlay/tcp", "emulator-bound", ("no CPU was left", "and late"))

    async def find(name: str, *_: Any, **__: Any) -> Capacity:
        return Capacity(rate, above, (above,))

    monkeypatch.setattr(capacity, "find", find)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    words = CliRunner().invoke(app, ["capacity", "point_to_point"])
    assert words.exit_code == status, words.output
    start = "underlay: 31 Mbit/s per link (" if rate else "underlay: not even 1 Mbit/s per link is carried"
    assert words.stdout.splitlines()[-1].startswith(start)
    assert "at 40 Mbit/s underlay/tcp is emulator-bound: no CPU was left" in words.stdout
    line = CliRunner().invoke(app, ["capacity", "point_to_point", "--json"])
    assert line.exit_code == status
    found = json.loads(line.stdout)
    assert (found["overlay"], found["topology"], found["rate"]) == ("underlay", "point_to_point", rate)
    assert found["above"]["reasons"] == ["no CPU was left", "and late"]


def test_rates_that_leave_nothing_to_try_are_refused() -> None:
    done = CliRunner().invoke(app, ["capacity", "--min-rate", "50", "--max-rate", "20"])
    assert isinstance(done.exception, UsageError)
    assert "no rate is left to try" in str(done.exception)
