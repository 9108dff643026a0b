"""The part of a run that emulated and real hosts have in common."""

from __future__ import annotations

from lab.app.request import RunRequest, plan_run
from lab.app.run import PreparedLab, new_manifest, timed
from lab.events import Event, Note, StepDone, StepStarted
from tests.unit.fakes import fake_lab


def test_the_time_of_every_step_is_kept_and_all_is_told_on() -> None:
    timing: dict[str, float] = {}
    seen: list[Event] = []
    events = [StepStarted("hosts"), StepDone("hosts", 1.23456), Note("x")]
    for event in events:
        timed(seen.append, timing)(event)

    assert timing == {"hosts": 1.235}
    assert seen == events


def test_a_manifest_has_what_was_asked_for_and_what_there_is() -> None:
    request = RunRequest("multihop", overlays=("underlay",), rate="20", bring_ups=4, seed=5)
    prepared = PreparedLab(fake_lab(), "wire", {"kernel": "6.1"}, {"AMS-PRG": {"asked_ms": 20.0}})

    manifest = new_manifest(request, plan_run(request), prepared)

    assert (manifest.rate, manifest.seed, manifest.bring_ups, manifest.shaper) == (20.0, 5, 4, "wire")
    assert manifest.profile["rate_source"] == "user"
    assert list(manifest.overlays) == ["underlay"]
    assert manifest.calibration == prepared.calibration
