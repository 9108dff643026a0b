"""The run engine, on an overlay and an experiment in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NotObtainable, OverlayError, ShaperError
from lab.events import Event, Note, SampleDone, SampleStarted
from lab.report import captions
from lab.runs import warmup
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import RunFolder, read
from lab.runs.runner import Outcome, run_experiment
from lab.runs.target import Nothing, RunTarget
from overlays.base import Missing
from tests.unit.fakes import FakeExperiment, FakeOverlay, IdleMachine, fake_lab, new_folder


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


async def test_a_failed_repetition_is_measured_again_and_both_attempts_are_kept(tmp_path: Path) -> None:
    # given a tool that fails the first time
    experiment = FakeExperiment(lambda cell, attempt: cell.metric == "x" and attempt == 1)
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment)
    # then the failure is a sample with the tool's words and no values, and the repetition is there
    failed = [s for s in read(folder.path).samples if not s.ok]
    assert [(s.cell, s.repetition, s.attempt, s.values) for s in failed] == [("fake/x", 1, 1, {})]
    assert failed[0].error == "tool: said no"
    assert failed[0].raw is not None
    assert (folder.path / failed[0].raw).read_text() == "its own words"
    assert failed[0].argv == ["tool", "-x"]
    assert [s.attempt for s in read(folder.path).samples if s.ok and s.cell == "fake/x"] == [2, 1]
    assert experiment.recovered == 1
    assert outcome.status == 0


class BusyAtFirst(IdleMachine):
    """A machine that some neighbour keeps busy during the first sample."""

    async def stop(self) -> dict[str, Any]:
        record = {**self.record, "busy": 1.0 if self.record["busy"] else 0.0}
        self.record["busy"] = 0.0
        return record


async def test_a_sample_that_does_not_count_is_made_up_for_at_the_end(tmp_path: Path) -> None:
    events: list[Event] = []
    with new_folder(tmp_path, spares=2) as folder:
        outcome = await go(folder, lab=fake_lab(BusyAtFirst()), events=events)
    samples = read(folder.path).samples
    first, last = samples[0], samples[-1]
    asked = FakeExperiment.profiles["quick"].repetitions
    assert (len(samples), first.valid, last.valid) == (sum(asked.values()) + 1, False, True)
    assert (last.cell, last.repetition) == (first.cell, asked[first.metric] + 1)
    started = [e for e in events if isinstance(e, SampleStarted)][-1]
    assert (started.repetition, started.repetitions, started.done, started.total) == (
        *(last.repetition, last.repetition),
        *(len(samples) - 1, len(samples)),
    )
    assert outcome.status == 0
    # and a run that is resumed knows that it was
    again = FakeExperiment()
    with RunFolder.resume(folder.path) as resumed:
        await go(resumed, again)
    assert again.measured == []


async def test_a_cell_that_fails_three_times_is_given_up_and_the_run_goes_on(tmp_path: Path) -> None:
    experiment = FakeExperiment(lambda cell, attempt: cell.metric == "x")
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment)
    assert experiment.measured.count("fake/x") == 3
    assert experiment.measured.count("fake/y") == 3
    assert outcome.failed == ["fake/x"]
    assert outcome.status == 1
    assert not read(folder.path).manifest.complete


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
        await go(folder, FakeExperiment(lambda cell, attempt: cell.metric == "x"))
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


async def test_a_peer_lost_during_a_sample_is_named_and_the_sample_is_measured_again(tmp_path: Path) -> None:
    # given an overlay that complains once, after its first sample
    class Losing(FakeOverlay):
        async def mode(self) -> Mapping[str, str]:
            if self.told.count("mode") == 1:
                self.told.append("mode")
                raise OverlayError("fake: AMS lost its peer PRG")
            return await super().mode()

    with new_folder(tmp_path) as folder:
        outcome = await go(folder, overlays={"fake": Losing()})
    # then that sample failed with the overlay's words
    failed = [s for s in read(folder.path).samples if not s.ok]
    assert len(failed) == 1
    assert "AMS lost its peer PRG" in str(failed[0].error)
    assert failed[0].verdict.state == "broken"
    assert outcome.status == 0


async def test_dead_shapers_end_the_run_with_its_samples_kept(tmp_path: Path) -> None:
    asked = 0

    async def counters() -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise ShaperError("the wire is dead; take the lab down")
        return {}

    lab = RunTarget(fake_lab().topology, fake_lab().hosts, IdleMachine(), counters)
    overlay = FakeOverlay()
    with new_folder(tmp_path) as folder, pytest.raises(ShaperError):
        await go(folder, lab=lab, overlays={"fake": overlay})
    # then the sample during which they died is there, broken
    whole, broken = read(folder.path).samples
    assert (whole.outcome, whole.verdict.state) == ("ok", "valid")
    assert (broken.outcome, broken.verdict.state) == ("failed", "broken")
    assert broken.verdict.reasons == ["the wire is dead; take the lab down"]
    assert overlay.told[-1] == "uninstall"


class Links:
    """Links that read back as they were set, but for the checks whose numbers are given."""

    def __init__(self, *wrong: int) -> None:
        self.wrong, self.asked = wrong, 0

    async def check(self) -> None:
        self.asked += 1
        if self.asked in self.wrong:
            raise ShaperError("AMS-PRG: rate was 20 Mbit/s, is 10")


async def test_links_that_are_not_as_they_were_set_are_not_measured_on(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder, pytest.raises(ShaperError):
        await go(folder, lab=replace(fake_lab(), check=Links(1).check))
    assert read(folder.path).samples == []


async def test_links_that_no_longer_read_back_break_the_sample_and_end_the_run(tmp_path: Path) -> None:
    lab = replace(fake_lab(), check=Links(*range(3, 99)).check)
    with new_folder(tmp_path) as folder, pytest.raises(ShaperError):
        await go(folder, lab=lab)
    assert [s.verdict.state for s in read(folder.path).samples] == ["valid", "broken"]
    assert "rate was 20 Mbit/s, is 10" in str(read(folder.path).samples[1].error)


async def test_links_that_are_as_they_were_again_cost_one_sample_which_is_repeated(tmp_path: Path) -> None:
    links = Links(3)
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, lab=replace(fake_lab(), check=links.check))
    found = read(folder.path).samples
    assert outcome.status == 0
    assert [s.verdict.state for s in found].count("broken") == 1
    assert len([s for s in found if s.ok]) == 5
    # once before the first sample, once after each, and once more after the broken one
    assert links.asked == 1 + len(found) + 1


async def test_a_busy_machine_marks_the_samples(tmp_path: Path) -> None:
    lab = fake_lab(IdleMachine(busy=0.99))
    with new_folder(tmp_path) as folder:
        await go(folder, lab=lab)
    assert {s.verdict.state for s in read(folder.path).samples} == {"emulator-bound"}


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


async def test_only_the_chosen_cells_are_measured(tmp_path: Path) -> None:
    experiment = FakeExperiment()
    with new_folder(tmp_path, only=["/x"]) as folder:
        await go(folder, experiment)
    assert set(experiment.measured) == {"fake/x"}
    assert folder.manifest.complete


async def test_a_moment_of_each_metric_is_measured_before_the_first_sample_and_thrown_away(
    tmp_path: Path,
) -> None:
    # given an experiment that warms up, and whose first measurement of one metric fails
    class Warming(FakeExperiment):
        warm_up = 1.0

        async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
            seconds.append(cell.seconds)
            return await super().measure(cell, endpoints)

    seconds: list[float] = []
    events: list[Event] = []
    experiment = Warming(lambda cell, attempt: cell.metric == "x" and attempt == 1)
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment, events=events)
    # then both metrics ran once more, a second each, and nothing of it is among the samples
    assert seconds[:2] == [1.0, 1.0]
    assert len(experiment.measured) == 7
    assert len(read(folder.path).samples) == 5
    assert all(sample.ok for sample in read(folder.path).samples)
    assert experiment.recovered == 1
    assert outcome.status == 0
    said = [event.text for event in events if isinstance(event, Note)]
    assert said[0] == "warm-up of fake, x: tool: said no"
    assert "warm-up of 1 s for each of" in said[1]
    assert "thrown away" in said[1]
    assert "thrown away" in captions.per_cell(read(folder.path))
    # and a resumed run warms up again only where something is missing
    with RunFolder.resume(folder.path) as resumed:
        await go(resumed, experiment)
    assert len(experiment.measured) == 7


def test_what_disturbs_an_overlay_is_no_warm_up() -> None:
    cells = [Cell("o", "cut", disturbs=True), Cell("o", "tcp", {"hops": 1}), Cell("o", "tcp", {"hops": 2})]
    experiment = FakeExperiment()
    assert warmup.cells(experiment, cells) == []
    experiment.warm_up = 2.0  # type: ignore[misc]
    assert [(c.metric, c.params, c.seconds) for c in warmup.cells(experiment, cells)] == [
        ("tcp", {"hops": 1}, 2.0)
    ]


class Busy(Nothing):
    """A script in which a link has changed, and that perhaps cannot go on."""

    def __init__(self, trouble: str = "") -> None:
        self.trouble, self.left = trouble, False

    async def __aexit__(self, *_: object) -> None:
        self.left = True

    def since(self, moment: float) -> list[str]:
        return ["A-B: loss 5"]

    def record(self) -> list[dict[str, Any]]:
        return [{"what": "A-B: loss 5"}]


async def test_what_a_schedule_did_is_kept_and_marks_the_samples_beside_it(tmp_path: Path) -> None:
    script = Busy()
    lab = replace(fake_lab(), script=lambda: script, accepted=["A-B was asked for 20 ms and has 21"])
    with new_folder(tmp_path) as folder:
        await go(folder, lab=lab)

    run = read(folder.path)
    assert script.left
    assert json.loads((folder.path / "reports/fake.schedule.json").read_text()) == script.record()
    for sample in run.samples:
        assert sample.valid
        assert sample.facts["links changed during it"] == "A-B: loss 5"
        assert sample.verdict.reasons[-2:] == [
            "links changed during it: A-B: loss 5",
            "links accepted as they were: A-B was asked for 20 ms and has 21",
        ]


async def test_what_the_links_cost_is_stored_and_told(tmp_path: Path) -> None:
    spent = iter(range(1000))

    async def cost() -> dict[str, float]:
        return {"cpu_seconds": float(next(spent))}

    with new_folder(tmp_path) as folder:
        await go(folder, lab=replace(fake_lab(), cost=cost))

    run = read(folder.path)
    assert all(sample.machine["links_cpu"] > 0 for sample in run.samples)
    assert "of a core on average" in captions.conditions(run)


async def test_a_schedule_that_ended_breaks_samples(tmp_path: Path) -> None:
    lab = replace(fake_lab(), script=lambda: Busy("the schedule of links ended: A-B: down: no"))
    with new_folder(tmp_path) as folder:
        await go(folder, lab=lab)

    assert {s.verdict.state for s in read(folder.path).samples} == {"broken"}
