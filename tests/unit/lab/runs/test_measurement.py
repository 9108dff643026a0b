"""Measurements: what is recorded beside the tool's own figures, and what makes a sample fail or count not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OverlayError, ShaperError
from lab.report import captions
from lab.runs.run_folder import read
from lab.runs.target import NoScript, RunTarget
from tests.unit.fakes import FakeOverlay, IdleMachine, fake_lab, new_folder
from tests.unit.lab.runs.test_runner import go


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


class Busy(NoScript):
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
