"""The plan of a block, and the beats while it is carried out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.app import in_box
from lab.app.request import RunRequest, plan_run
from lab.events import Note, from_json
from lab.virtual.box import BEAT


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


def test_work_is_accompanied_by_beats_and_its_errors_come_through(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_box, "BEATS", 0.01)

    async def work() -> int:
        await asyncio.sleep(0.05)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_box.beating(work()))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert all(line.startswith(BEAT) for line in lines)


def test_events_go_out_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    in_box.say(Note("hello"))
    assert from_json(capsys.readouterr().out) == Note("hello")
