"""The plan of a block, and the beats while it is carried out."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from lab.app import in_box
from lab.app.request import RunRequest, plan_run
from lab.events import Note, from_json
from lab.virtual import beats
from lab.virtual.beats import BEAT


def test_a_plan_is_the_same_inside(tmp_path: Path) -> None:
    asked = RunRequest("multihop", overlays=("tinc", "underlay"), clock="virtual", costs={"tincd": 5.0})
    plan = plan_run(asked)
    in_box.write(tmp_path, asked, plan, "tinc", 9)
    inner, same = in_box.read(tmp_path)
    assert list(same.overlays) == ["tinc"]
    assert (inner.seed, inner.daemons, inner.shaper, inner.clock) == (9, "none", "netem", "virtual")
    assert inner.costs == {"tincd": 5.0}
    assert same.topology.to_dict() == plan.topology.to_dict()
    assert same.cells()["tinc"] == plan.cells()["tinc"]


def test_errors_are_notes_and_a_last_beat_follows_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(beats, "sleep", lambda _: Event().wait())  # the thread beats once
    asked = RunRequest("multihop", overlays=("tinc",), clock="virtual")
    in_box.write(tmp_path, asked, plan_run(asked), "tinc", 9)
    plan = tmp_path / in_box.PLAN
    plan.write_text(plan.read_text().replace('"overlay":"tinc"', '"overlay":"tincc"'))

    assert in_box.main(tmp_path) == 2

    said, last = capsys.readouterr().out.splitlines()[-2:]
    assert "did you mean 'tinc'" in str(from_json(said))
    assert last.startswith(BEAT)


def test_events_go_out_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    in_box.say(Note("hello"))
    assert from_json(capsys.readouterr().out) == Note("hello")
