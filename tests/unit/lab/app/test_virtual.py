"""Runs in virtual time, with boxes that only write a run folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.app import in_box, virtual
from lab.app.blocks import folder_of
from lab.app.request import RunPlan, RunRequest, plan_run
from lab.errors import BoxError, LabError
from lab.events import Event, Note, SampleDone, to_json
from lab.runs import run_folder, run_folder_check
from lab.runs.plan import Block
from lab.runs.run_folder import RunFolder
from lab.runs.runner import described
from lab.runs.sample import Sample
from lab.virtual.box import Ended
from tests.unit.fakes import manifest

KERNEL = SimpleNamespace(
    program=Path("/k"), version="7.2.12", source="linux-source", identity="ab12", environment={}
)


def request(**more: object) -> RunRequest:
    asked = {"overlays": ("underlay",), "only": ("latency",), "repetitions": 1, "clock": "virtual"}
    return RunRequest("multihop", **{**asked, **more})  # type: ignore[arg-type]


def carry_out(
    asked: RunRequest, plan: RunPlan, box: type, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, Path]:
    monkeypatch.setattr(virtual.boxes, "prepare", lambda overlays, emit: KERNEL)
    monkeypatch.setattr(virtual, "BoxProcess", box)
    return asyncio.run(virtual.emulate(asked, plan, seen.append))


seen: list[Event] = []


class FakeBox:
    """Measures every cell of its plan once, by the seed."""

    def __init__(self, kernel, folder, cpu, seed, hear) -> None:  # type: ignore[no-untyped-def]
        self.folder, self.seed, self.hear = folder, seed, hear

    async def run(self, order: object) -> Ended:
        asked, plan = in_box.read(self.folder)
        self.hear(to_json(Note("inside")))
        seen_inside = {
            "kernel": "7.2.12",
            "machine": {"cpus": 1},
            "sysctls": {"x": "1"},
            "versions": {"y": "2"},
        }
        inner = manifest(run="inner", overlays={}, environment=seen_inside, complete=True)
        with RunFolder.create(asked.results, inner) as folder:
            folder.manifest.overlays = {name: described(o) for name, o in plan.overlays.items()}
            for name in plan.overlays:
                folder.manifest.overlays[name] = folder.manifest.overlays[name].model_copy(
                    update={"state": "ok"}
                )
            for cell in plan.cells(asked.only)[asked.overlays[0]]:
                done = Sample(
                    run="inner",
                    cell=cell.key,
                    overlay=cell.overlay,
                    metric=cell.metric,
                    params=dict(cell.params),
                    repetition=1,
                    started="2027-01-15T08:00:00+00:00",
                    seconds=1.0,
                    outcome="ok",
                    values={"mean_ms": float(self.seed)},
                    clock="virtual",
                )
                folder.append(done, "raw")
                self.hear(to_json(SampleDone(cell.key, 1, "ok", "valid")))
            folder.save()
        await asyncio.sleep(0)
        return Ended(0, 1.0, 20.0)


class SecondIsDead(FakeBox):
    async def run(self, order: object) -> Ended:
        if self.folder.name.endswith(".2"):
            raise BoxError("the box ended")
        return await super().run(order)


class Incomplete(FakeBox):
    async def run(self, order: object) -> Ended:
        ended = await super().run(order)
        path = next(self.folder.glob("runs/*/manifest.json"))
        path.write_text(path.read_text().replace('"complete": true', '"complete": false'))
        return ended


class DeadBox(FakeBox):
    async def run(self, order: object) -> Ended:
        raise BoxError("the box ended")


def test_samples_of_all_blocks_come_into_one_folder_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(results=tmp_path, bring_ups=3, seed=10)
    plan = plan_run(asked)
    status, path = carry_out(asked, plan, FakeBox, monkeypatch)
    run = run_folder.read(path)

    assert status == 0
    assert run.manifest.complete
    assert [s.bring_up for s in run.samples] == sorted(s.bring_up for s in run.samples)
    assert {(s.bring_up, s.values["mean_ms"], s.clock, s.run) for s in run.samples} == {
        (n, 10.0 + n, "virtual", run.manifest.run) for n in (1, 2, 3)
    }
    assert run_folder_check.faults(run, plan.experiment) == []
    assert Note("underlay #2: inside") in seen


def test_two_runs_of_the_same_request_are_equal_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [request(results=tmp_path / name, bring_ups=2) for name in ("a", "b")]
    texts = [
        (carry_out(one, plan_run(one), FakeBox, monkeypatch)[1] / "samples.jsonl").read_text()
        for one in asked
    ]
    assert texts[0] == texts[1].replace("xx", "")
    other = request(results=tmp_path / "c", costs={"weaver": 50.0})
    assert (
        run_folder.read(carry_out(other, plan_run(other), FakeBox, monkeypatch)[1]).manifest.run
        not in texts[0]
    )


def test_a_run_that_was_interrupted_boots_only_what_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(results=tmp_path)
    with pytest.raises(BoxError, match="the box ended"):
        carry_out(asked, plan_run(asked), DeadBox, monkeypatch)
    path = next(tmp_path.iterdir())
    again = request(results=tmp_path, resume=path)
    _, same = carry_out(again, plan_run(again), FakeBox, monkeypatch)
    first = (same / "samples.jsonl").read_text()
    assert run_folder.read(same).manifest.complete
    assert same == path

    carry_out(again, plan_run(again), DeadBox, monkeypatch)
    assert (same / "samples.jsonl").read_text() == first


def test_a_run_with_a_whole_block_goes_on_and_takes_up_what_an_interruption_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a box saw of itself is no condition of the run outside; half of the samples are no block."""
    asked = request(results=tmp_path / "whole", bring_ups=2)
    whole = (carry_out(asked, plan_run(asked), FakeBox, monkeypatch)[1] / "samples.jsonl").read_text()
    asked = request(results=tmp_path / "cut", bring_ups=2, boxes=1)
    with pytest.raises(BoxError, match="the box ended"):
        carry_out(asked, plan_run(asked), SecondIsDead, monkeypatch)
    path = next((tmp_path / "cut").iterdir())
    assert run_folder.read(path).manifest.environment["inside"]["machine"] == {"cpus": 1}
    lines = (path / "samples.jsonl").read_text().splitlines(keepends=True)
    (path / "samples.jsonl").write_text("".join(lines[:2]))

    again = request(results=tmp_path / "cut", bring_ups=2, resume=path)
    carry_out(again, plan_run(again), FakeBox, monkeypatch)
    assert (path / "samples.jsonl").read_text() == whole
    assert run_folder.read(path).manifest.complete


def test_a_block_that_lacks_samples_leaves_the_run_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(results=tmp_path)
    _, path = carry_out(asked, plan_run(asked), Incomplete, monkeypatch)
    assert not run_folder.read(path).manifest.complete


def test_a_run_of_more_than_a_day_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(results=tmp_path, only=("udp/",), repetitions=20, duration=3600.0)
    carry_out(asked, plan_run(asked), FakeBox, monkeypatch)
    assert any(isinstance(event, Note) and "days here" in event.text for event in seen)


def test_blocks_have_seeds_and_folders_of_their_own() -> None:
    block = Block("weave:mode=sleeve", 2, 8)
    assert folder_of(block, Path("run")) == Path("run/blocks/weave_mode=sleeve.2")


def test_virtual_time_takes_the_testbeds_rate_unless_told_and_no_cpu_limit() -> None:
    assert plan_run(request()).profile.rate == 1000.0
    assert plan_run(request(rate="auto")).profile.rate == 1000.0
    assert plan_run(request(rate="250")).profile.rate == 250.0
    with pytest.raises(LabError, match="cpu cannot run in virtual time: it measures the CPU time"):
        plan_run(RunRequest("cpu", clock="virtual"))
