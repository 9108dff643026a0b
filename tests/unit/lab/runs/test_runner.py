"""The run engine, on an overlay and an experiment in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostError, NotObtainable, OverlayError
from lab.events import Event, Note, SampleDone, SampleStarted
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import RunFolder, read
from lab.runs.runner import Outcome, run_experiment
from lab.runs.target import RunTarget
from overlays.base import Missing
from tests.unit.fakes import FakeExperiment, FakeOverlay, fake_lab, new_folder


async def go(
    folder: RunFolder,
    experiment: FakeExperiment | None = None,
    overlays: Mapping[str, FakeOverlay] | None = None,
    events: list[Event] | None = None,
    lab: RunTarget | None = None,
) -> Outcome:
    experiment = experiment or FakeExperiment()
    return await run_experiment(
        experiment,
        lab or fake_lab(),
        overlays or {"fake": FakeOverlay()},
        experiment.profiles["quick"],
        folder,
        emit=(events if events is not None else []).append,
    )


async def test_every_repetition_of_every_cell_is_on_disk_with_its_raw_output(tmp_path: Path) -> None:
    # given a grid of two cells, with two and three repetitions
    with new_folder(tmp_path) as folder:
        # when it is run
        outcome = await go(folder)
    # then five samples are there, each with what the tool printed
    run = read(folder.path)
    assert outcome.status == 0
    assert run.manifest.complete
    assert sorted((s.cell, s.repetition) for s in run.samples) == [
        *[("fake/x", n) for n in (1, 2)],
        *[("fake/y", n) for n in (1, 2, 3)],
    ]
    for sample in run.samples:
        assert sample.raw is not None
        assert (folder.path / sample.raw).read_text() == "raw output\n"
        assert sample.mode == {"mode": "fast"}
        assert sample.argv == ["tool", "-y"]
        assert sample.verdict.state == "valid"


async def test_an_overlay_is_installed_ready_and_taken_off_again(tmp_path: Path) -> None:
    overlay = FakeOverlay()
    with new_folder(tmp_path) as folder:
        await go(folder, overlays={"fake": overlay})
    assert overlay.told[:2] == ["install", "ready"]
    assert overlay.told[-1] == "uninstall"


async def test_the_daemons_logs_are_kept_before_the_overlay_goes(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder)
    assert (folder.path / "logs/fake/AMS/faked.log").read_text() == "all is well"


async def test_a_sample_is_on_disk_before_the_next_one_starts(tmp_path: Path) -> None:
    # given an experiment that looks at the disk when it is asked to measure
    lines: list[int] = []

    class Looking(FakeExperiment):
        async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
            lines.append(len((folder.path / "samples.jsonl").read_text().splitlines()))
            return await super().measure(cell, endpoints)

    with new_folder(tmp_path) as folder:
        await go(folder, Looking())
    assert lines == [0, 1, 2, 3, 4]


async def test_traffic_that_collapsed_is_data_and_is_not_measured_again(tmp_path: Path) -> None:
    # given a tool whose traffic fails the first time
    experiment = FakeExperiment(lambda cell, attempt: cell.metric == "x" and attempt == 1)
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment)
    # then the failure is a sample with the tool's words and no values, and it counts
    (failed,) = [s for s in read(folder.path).samples if not s.ok]
    assert (failed.cell, failed.repetition, failed.attempt, failed.values) == ("fake/x", 1, 1, {})
    assert (failed.collapsed, failed.valid, failed.verdict.reasons) == (True, True, ["tool: said no"])
    assert failed.error == "tool: said no"
    assert failed.raw is not None
    assert (folder.path / failed.raw).read_text() == "its own words"
    assert failed.argv == ["tool", "-x"]
    assert experiment.measured.count("fake/x") == 2
    assert experiment.recovered == 1
    assert outcome.status == 0
    assert folder.manifest.complete


class Unreachable(FakeExperiment):
    """A host of the lab does not answer when x is measured, as often as it is told."""

    def __init__(self, times: int = 1000) -> None:
        super().__init__()
        self.times = times

    async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
        reading = await super().measure(cell, endpoints)
        if cell.metric == "x" and self.measured.count(cell.key) <= self.times:
            raise HostError("AMS does not answer")
        return reading


async def test_a_repetition_that_the_lab_could_not_measure_is_measured_again(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, Unreachable(1))
    failed = [s for s in read(folder.path).samples if not s.ok]
    assert [(s.cell, s.repetition, s.attempt, s.collapsed) for s in failed] == [("fake/x", 1, 1, False)]
    assert [s.attempt for s in read(folder.path).samples if s.ok and s.cell == "fake/x"] == [2, 1]
    assert outcome.status == 0


async def test_a_cell_that_cannot_be_measured_three_times_is_given_up_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    experiment = Unreachable()
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment)
    assert experiment.measured.count("fake/x") == 3
    assert experiment.measured.count("fake/y") == 3
    assert outcome.failed == ["fake/x"]
    assert outcome.status == 1
    assert not read(folder.path).manifest.complete


async def test_every_block_brings_its_overlay_up_and_has_every_repetition(tmp_path: Path) -> None:
    overlays = {"fake": FakeOverlay(), "other": FakeOverlay()}
    with new_folder(tmp_path, bring_ups=3, overlays={}) as folder:
        outcome = await go(folder, overlays=overlays)
    run = read(folder.path)
    assert outcome.status == 0
    assert run.manifest.complete
    assert [overlay.told.count("install") for overlay in overlays.values()] == [3, 3]
    assert [overlay.told.count("uninstall") for overlay in overlays.values()] == [3, 3]
    places = [(s.cell, s.bring_up, s.repetition) for s in run.samples]
    assert len(set(places)) == len(places) == 3 * 2 * 5
    assert len({s.raw for s in run.samples}) == len(places)
    assert [s.bring_up for s in run.samples] == sorted(s.bring_up for s in run.samples)
    first = [next(s.overlay for s in run.samples if s.bring_up == n) for n in (1, 2, 3)]
    assert len(set(first)) == 2, "seed 7 has another overlay first now and then"


async def test_a_run_of_blocks_is_resumed_in_the_block_in_which_it_ended(tmp_path: Path) -> None:
    class Cancelled(FakeExperiment):
        async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
            if len(self.measured) == 7:
                raise asyncio.CancelledError
            return await super().measure(cell, endpoints)

    folder = new_folder(tmp_path, bring_ups=3)
    with folder, pytest.raises(asyncio.CancelledError):
        await go(folder, Cancelled())
    overlay, again = FakeOverlay(), FakeExperiment()
    with RunFolder.resume(folder.path) as resumed:
        outcome = await go(resumed, again, {"fake": overlay})
    after = read(folder.path).samples
    assert outcome.status == 0
    assert len(after) == len({(s.cell, s.bring_up, s.repetition) for s in after}) == 15
    assert (len(again.measured), overlay.told.count("install")) == (8, 2)


async def test_a_block_that_failed_stays_in_sight_and_the_next_one_is_tried(tmp_path: Path) -> None:
    class Once(FakeOverlay):
        async def ready(self, timeout: float = 60.0) -> None:
            await super().ready(timeout)
            if self.told.count("ready") == 1:
                raise OverlayError("fake: AMS sees no peer")

    with new_folder(tmp_path, bring_ups=2) as folder:
        outcome = await go(folder, overlays={"fake": Once()})
    assert (outcome.overlays["fake"].state, outcome.status) == ("failed", 1)
    assert {s.bring_up for s in read(folder.path).samples} == {2}
    with RunFolder.resume(folder.path) as resumed:
        outcome = await go(resumed)
    assert (outcome.overlays["fake"].state, outcome.status) == ("ok", 0)
    assert sorted({s.bring_up for s in read(folder.path).samples}) == [1, 2]


async def test_a_resumed_run_measures_what_is_missing_and_nothing_twice(tmp_path: Path) -> None:
    # given a run that was cancelled in its third sample
    class Cancelled(FakeExperiment):
        async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
            if len(self.measured) == 2:
                raise asyncio.CancelledError
            return await super().measure(cell, endpoints)

    overlay = FakeOverlay()
    first = Cancelled()
    folder = new_folder(tmp_path)
    with folder, pytest.raises(asyncio.CancelledError):
        await go(folder, first, {"fake": overlay})
    assert overlay.told[-1] == "uninstall"
    before = read(folder.path).samples
    # when it is resumed
    again = FakeExperiment()
    with RunFolder.resume(folder.path) as resumed:
        outcome = await go(resumed, again)
    # then the two samples are as they were, and each repetition is there once
    after = read(folder.path).samples
    assert after[:2] == before
    assert len(after) == len({(s.cell, s.repetition) for s in after}) == 5
    assert len(again.measured) == 3
    assert outcome.status == 0


async def test_resuming_a_finished_run_does_not_even_install_the_overlay(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder)
    overlay, events = FakeOverlay(), list[Event]()
    with RunFolder.resume(folder.path) as resumed:
        outcome = await go(resumed, overlays={"fake": overlay}, events=events)
    assert overlay.told == []
    assert events == [Note("fake: every sample is there already")]
    assert outcome.status == 0


async def test_resuming_tries_a_cell_again_that_was_given_up(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder, Unreachable())
    with RunFolder.resume(folder.path) as resumed:
        outcome = await go(resumed)
    assert outcome.status == 0
    assert [s.attempt for s in read(folder.path).samples if s.cell == "fake/x"] == [1, 2, 3, 4, 1]


async def test_an_overlay_that_cannot_be_had_is_recorded_and_the_others_run(tmp_path: Path) -> None:
    # given two overlays, of which this machine lacks one
    lacking = FakeOverlay(missing=Missing("no router is here", "name one with --weaver"))
    overlays = {"weave": lacking, "fake": FakeOverlay()}
    with new_folder(tmp_path, overlays={}) as folder:
        outcome = await go(folder, overlays=overlays)
    # then the other one is measured, and the run is complete as far as it can be
    state = read(folder.path).manifest.overlays["weave"]
    assert (state.state, state.reason, state.remedy) == (
        "not obtainable",
        "no router is here",
        "name one with --weaver",
    )
    assert lacking.told == []
    assert len(read(folder.path).samples) == 5
    assert outcome.status == 0


@pytest.mark.parametrize(
    "lacking",
    [
        FakeOverlay(missing=Missing("no router is here", "name one with --weaver")),
        FakeOverlay(install=NotObtainable("fake", "no vxlan", "load it")),
    ],
)
async def test_samples_of_an_overlay_that_cannot_be_had_are_not_counted(
    tmp_path: Path, lacking: FakeOverlay
) -> None:
    events: list[Event] = []
    with new_folder(tmp_path, overlays={}) as folder:
        await go(folder, overlays={"weave": lacking, "fake": FakeOverlay()}, events=events)
    started = [event for event in events if isinstance(event, SampleStarted)]
    assert started[-1].total == 5
    assert started[-1].left < 5
    if "missing" in lacking.faults:  # known before the run
        assert {event.total for event in started} == {5}
        assert started[0].left < 10


async def test_an_overlay_that_a_host_cannot_have_is_taken_off_again(tmp_path: Path) -> None:
    overlay = FakeOverlay(install=NotObtainable("fake", "no vxlan", "load it"))
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, overlays={"fake": overlay})
    assert overlay.told == ["install", "uninstall"]
    assert outcome.overlays["fake"].state == "not obtainable"
    assert outcome.status == 1, "nothing at all was measured"


async def test_an_overlay_that_does_not_get_ready_fails_and_the_others_run(tmp_path: Path) -> None:
    broken = FakeOverlay(ready=OverlayError("fake: AMS sees no peer after 60 s; look at its log"))
    with new_folder(tmp_path, overlays={}) as folder:
        outcome = await go(folder, overlays={"broken": broken, "fake": FakeOverlay()})
    assert outcome.overlays["broken"].state == "failed"
    assert "sees no peer" in outcome.overlays["broken"].reason
    assert outcome.overlays["fake"].state == "ok"
    assert outcome.status == 1


async def test_progress_counts_up_and_the_time_left_goes_down(tmp_path: Path) -> None:
    events: list[Event] = []
    with new_folder(tmp_path) as folder:
        await go(folder, events=events)
    started = [e for e in events if isinstance(e, SampleStarted)]
    assert [e.done for e in started] == [0, 1, 2, 3, 4]
    assert {e.total for e in started} == {5}
    assert started[0].left > started[-1].left
    assert len([e for e in events if isinstance(e, SampleDone)]) == 5


async def test_the_time_of_every_phase_is_in_the_manifest(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder)
    timing = json.loads((folder.path / "manifest.json").read_text())["timing"]["fake"]
    assert {"install", "ready", "endpoints", "measuring", "uninstall"} <= set(timing)


async def test_what_every_bring_up_took_is_in_the_manifest(tmp_path: Path) -> None:
    class Occupying(FakeOverlay):
        async def memory(self) -> dict[str, int]:
            return {"AMS": 3 << 20}

    with new_folder(tmp_path, bring_ups=2) as folder:
        await go(folder, overlays={"fake": Occupying()})
    noted = json.loads((folder.path / "manifest.json").read_text())["resources"]["fake"]
    assert sorted(one["bring_up"] for one in noted) == [1, 2]
    assert [one["memory"] for one in noted] == [{"AMS": 3 << 20}] * 2
    assert all(one["seconds"] >= 0 for one in noted)


async def test_only_the_chosen_cells_are_measured(tmp_path: Path) -> None:
    experiment = FakeExperiment()
    with new_folder(tmp_path, only=["/x"]) as folder:
        await go(folder, experiment)
    assert set(experiment.measured) == {"fake/x"}
    assert folder.manifest.complete
