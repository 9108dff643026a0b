"""The process that has the lab: which ends of a box send its block elsewhere."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from lab.app import in_box
from lab.app.block_order import BlockOrder
from lab.app.request import RunRequest, plan_run
from lab.runs.run_folder import RunFolder
from lab.runs.runner import described
from lab.spread import session
from lab.spread.session import BlockEnd, Call, LabSession
from lab.virtual.box import Ended
from tests.unit.fakes import manifest


def ended(folder: Path, monkeypatch: pytest.MonkeyPatch, state: str, complete: bool, status: int) -> BlockEnd:
    """Carry out a block in a box that leaves a run of this state, or none."""
    asked = RunRequest("multihop", overlays=("underlay",), clock="virtual")
    order = BlockOrder.of(asked, plan_run(asked), "underlay", 4)
    (folder / in_box.RUNS).mkdir(parents=True)
    (folder / in_box.PLAN).write_text(order.model_dump_json())

    async def boot(made: object, order: BlockOrder, folder: Path, cpu: int, hear: object) -> Ended:
        request, plan = order.plan(folder / in_box.RUNS)
        if state:
            inner = manifest(run="inner", complete=complete)
            with RunFolder.create(request.results, inner) as stored:
                of = described(plan.overlays["underlay"]).model_copy(update={"state": state})
                stored.manifest.overlays = {"underlay": of}
                stored.save()
        return Ended(status, 1.0, 2.0)

    said: list[str] = []
    monkeypatch.setattr(session.boxes, "prepare", lambda overlays, emit: None)
    monkeypatch.setattr(session.virtual, "boot", boot)
    monkeypatch.setattr(session.beats, "say", said.append)
    calls: asyncio.Queue[Call | None] = asyncio.Queue()
    calls.put_nowait(Call(folder))
    calls.put_nowait(None)
    asyncio.run(LabSession(calls).run())
    found = BlockEnd.read(said[-1])
    assert found is not None, json.dumps(said)
    return found


@pytest.mark.parametrize(
    ("state", "complete", "status", "elsewhere"),
    [("ok", True, 0, False), ("failed", False, 1, False), ("pending", False, 2, True), ("", False, 2, True)],
)
def test_a_block_whose_box_ended_early_is_measured_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, complete: bool, status: int, elsewhere: bool
) -> None:
    assert bool(ended(tmp_path / "b", monkeypatch, state, complete, status).error) == elsewhere
