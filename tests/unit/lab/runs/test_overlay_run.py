"""An overlay that falls back, or loses a daemon, while samples are measured on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from lab.errors import OverlayError
from lab.events import Event, Note
from lab.report import captions
from lab.runs.experiment import Cell, Reading
from lab.runs.overlay_run import RELAUNCHES
from lab.runs.run_folder import RunFolder, read
from tests.unit.fakes import FakeExperiment, FakeOverlay, fake_lab, new_folder
from tests.unit.lab.runs.test_runner import go


class Falling(FakeOverlay):
    """Falls back from fast to slow as soon as it has been asked for its mode `after` times."""

    def __init__(self, after: int = 2, **faults: Any) -> None:
        super().__init__(**faults)
        self.after, self.relaunched = after, 0

    async def mode(self) -> Mapping[str, str]:
        self.now = {"mode": "fast" if self.told.count("mode") < self.after else "slow"}
        return await super().mode()

    async def counters(self) -> Mapping[str, int]:
        return {"AMS hit": 100 * self.told.count("mode"), "AMS missed": 7}

    async def relaunch(self) -> None:
        self._do("relaunch")
        self.relaunched += 1
        self.told = [word for word in self.told if word != "mode"]


def states(folder: RunFolder) -> list[str]:
    return [s.verdict.state for s in read(folder.path).samples]


async def test_a_change_marks_the_sample_and_all_that_follow_in_the_other_mode(tmp_path: Path) -> None:
    events: list[Event] = []
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, overlays={"fake": Falling()}, events=events)
    # then the run goes on, and nothing that was measured in the other mode counts
    assert outcome.status == 0
    assert states(folder) == ["valid", "broken", "broken", "broken", "broken"]
    first, second, third, *_ = read(folder.path).samples
    assert (first.mode, first.mode_after, first.changed) == ({"mode": "fast"}, {}, [])
    assert (second.mode, second.mode_after) == ({"mode": "fast"}, {"mode": "slow"})
    assert second.changed == ["mode went from fast to slow during the sample"]
    assert third.changed == ["mode was slow, no longer fast"]
    assert any("mode went from fast to slow" in e.text for e in events if isinstance(e, Note))


async def test_an_overlay_is_shown_while_it_is_measured_and_not_after(tmp_path: Path) -> None:
    overlay, said = FakeOverlay(), []

    @contextmanager
    def while_up(name: str, one: object, endpoints: Any, mode: Mapping[str, str]) -> Iterator[None]:
        assert one is overlay
        said.append((name, sorted(end.host.name for end in endpoints), dict(mode)))
        yield
        said.append(("gone", overlay.told.count("uninstall")))

    with new_folder(tmp_path) as folder:
        await go(folder, overlays={"fake": overlay}, lab=replace(fake_lab(), while_up=while_up))
    assert said == [("fake", sorted(fake_lab().hosts), {"mode": "fast"}), ("gone", 0)]


async def test_the_result_says_that_the_mode_changed(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder, overlays={"fake": Falling()})
    said = captions.verdicts(read(folder.path))
    assert "4 of 5 samples broken" in said[0]
    assert said[1].startswith("fake: its mode had changed in 4 samples, first in fake/")
    assert said[1].endswith("mode went from fast to slow during the sample")


async def test_what_the_data_path_counted_during_a_sample_is_stored(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        await go(folder, overlays={"fake": Falling(after=99)})
    assert read(folder.path).samples[0].datapath == {"AMS hit": 100, "AMS missed": 0}


async def test_daemons_are_relaunched_and_the_sample_is_measured_again(tmp_path: Path) -> None:
    # given an overlay that falls back once, in its second sample
    overlay = Falling()

    async def relaunch() -> None:
        overlay.relaunched, overlay.after, overlay.told = 1, 99, []

    overlay.relaunch = relaunch  # type: ignore[method-assign]
    with new_folder(tmp_path, on_fallback="relaunch") as folder:
        outcome = await go(folder, overlays={"fake": overlay})
    # then the marked sample is kept, and its repetition is there a second time, valid
    samples = read(folder.path).samples
    assert outcome.status == 0
    assert overlay.relaunched == 1
    assert [s.verdict.state for s in samples] == ["valid", "broken", *["valid"] * 4]
    assert samples[1].cell == samples[2].cell
    assert (samples[1].repetition, samples[1].attempt) == (samples[2].repetition, samples[2].attempt - 1)
    assert (folder.path / "logs/fake/relaunch-1/AMS/faked.log").exists()


async def test_a_sample_is_repeated_a_few_times_and_no_more(tmp_path: Path) -> None:
    # given an overlay that falls back in every sample, and is well again after each relaunch
    experiment = FakeExperiment()

    class Hopeless(Falling):
        async def mode(self) -> Mapping[str, str]:
            return {"mode": "fast" if self.relaunched == len(experiment.measured) else "slow"}

        async def relaunch(self) -> None:
            self.relaunched = len(experiment.measured)

    with new_folder(tmp_path, on_fallback="relaunch") as folder:
        outcome = await go(folder, experiment, overlays={"fake": Hopeless()})
    # then each of the five repetitions was measured once and repeated so often
    assert len(experiment.measured) == 5 * (1 + RELAUNCHES)
    assert set(states(folder)) == {"broken"}
    assert outcome.failed == []


async def test_resuming_repeats_what_fell_back(tmp_path: Path) -> None:
    # given a run that ended right after a sample in which the overlay fell back
    class Ended(Falling):
        async def relaunch(self) -> None:
            raise asyncio.CancelledError

    folder = new_folder(tmp_path, on_fallback="relaunch")
    with folder:
        try:
            await go(folder, overlays={"fake": Ended()})
        except asyncio.CancelledError:
            pass
    assert states(folder) == ["valid", "broken"]
    # when it is resumed
    with RunFolder.resume(folder.path) as resumed:
        await go(resumed, overlays={"fake": FakeOverlay()})
    # then that repetition is measured again
    assert states(folder) == ["valid", "broken", "valid", "valid", "valid", "valid"]


class Dying(FakeOverlay):
    """One of its daemons dies during the second sample."""

    def __init__(self, experiment: FakeExperiment) -> None:
        super().__init__()
        self.experiment = experiment

    def dead(self) -> bool:
        return len(self.experiment.measured) >= 2

    async def watch(self) -> NoReturn:
        while True:
            await self.check()
            await asyncio.sleep(0.01)

    async def check(self) -> None:
        if self.dead():
            raise OverlayError("fake: faked on PRG no longer runs; the end of its log: adieu")


class Long(FakeExperiment):
    """Its second sample would last a minute."""

    async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
        reading = await super().measure(cell, endpoints)
        await asyncio.sleep(60 if len(self.measured) == 2 else 0.05)
        return reading


async def test_a_daemon_that_dies_ends_the_sample_at_once_and_is_named(tmp_path: Path) -> None:
    experiment, start = Long(), monotonic()
    overlays = {"dying": Dying(experiment), "fake": FakeOverlay()}
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment, overlays)
    # then the sample failed with the overlay's words, and the one before it is kept
    run = read(folder.path)
    one, two = [s for s in run.samples if s.overlay == "dying"]
    assert monotonic() - start < 5
    assert one.verdict.state == "valid"
    assert (two.outcome, two.verdict.state) == ("failed", "broken")
    assert two.error == "fake: faked on PRG no longer runs; the end of its log: adieu"
    # and the overlay is given up and taken off, and the next one is measured
    assert run.manifest.overlays["dying"].state == "failed"
    assert "faked on PRG no longer runs" in run.manifest.overlays["dying"].reason
    assert overlays["dying"].told[-1] == "uninstall"
    assert run.manifest.overlays["fake"].state == "ok"
    assert outcome.status == 1


async def test_a_daemon_that_dies_between_samples_is_noticed_too(tmp_path: Path) -> None:
    class Dead(Dying):
        def dead(self) -> bool:
            return self.told.count("mode") > 1

    experiment = Long()
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment, {"fake": Dead(experiment)})
    assert outcome.overlays["fake"].state == "failed"
    assert len(experiment.measured) == 2


class Shaking(FakeExperiment):
    """Its first cell shakes the overlay on purpose."""

    def cells(self, topology: Any, overlay: str, profile: Any) -> list[Cell]:
        return [
            replace(cell, disturbs=cell.metric == "x") for cell in super().cells(topology, overlay, profile)
        ]


async def test_a_mode_that_changes_because_it_was_meant_to_breaks_no_sample(tmp_path: Path) -> None:
    """A circuit is cut on purpose: what the overlay makes of it is the measurement."""

    class Shaken(FakeOverlay):
        async def mode(self) -> Mapping[str, str]:
            # shaken whenever something was measured and the overlay was not asked to be ready since
            calm = self.told[-1:] == ["ready"] or not experiment.measured
            calm = calm or experiment.measured[-1].endswith("y")
            self.now = {"mode": "fast" if calm else "retrying"}
            return await super().mode()

    experiment, overlay = Shaking(), Shaken()
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment, {"fake": overlay})
    assert outcome.status == 0
    assert set(states(folder)) == {"valid"}
    shaken = [s for s in read(folder.path).samples if s.metric == "x"]
    assert all(s.mode_after == {"mode": "retrying"} and s.changed == [] for s in shaken)
    assert overlay.told.count("ready") == 1 + len(shaken), "given time to mend after each"


async def test_an_overlay_that_cannot_be_asked_while_shaken_breaks_no_sample(tmp_path: Path) -> None:
    class Speechless(FakeOverlay):
        async def mode(self) -> Mapping[str, str]:
            if experiment.measured and experiment.measured[-1].endswith("x") and self.told[-1:] != ["ready"]:
                self.told.append("asked")
                raise OverlayError("nobody answers")
            return await super().mode()

    experiment = Shaking()
    with new_folder(tmp_path) as folder:
        outcome = await go(folder, experiment, {"fake": Speechless()})
    assert outcome.status == 0
    assert set(states(folder)) == {"valid"}
