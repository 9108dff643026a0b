"""A trial meets the same network as the run that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.app import trial as module
from lab.emulation import emulation
from lab.events import Event, StepDone
from lab.hosts.host import Endpoint
from lab.runs.experiment import Cell
from lab.runs.target import RunTarget
from tests.unit.fakes import FakeExperiment, FakeHost, FakeOverlay, fake_lab, new_folder
from tests.unit.lab.runs.test_runner import go


class Warming(FakeExperiment):
    """Remembers when it is prepared, and warms up."""

    warm_up = 1.0

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.measured.append(f"prepared {' '.join(endpoints)}")


class Standing:
    """In place of an emulation: the hosts of a lab in memory."""

    def __init__(self, lab: RunTarget) -> None:
        self.hosts = lab.hosts

    async def __aenter__(self) -> Standing:
        return self

    async def __aexit__(self, *_: object) -> None: ...


def pings(lab: RunTarget) -> dict[str, list[str]]:
    """The scripts with which endpoints asked each other, by host."""
    fed: dict[str, list[str]] = {}
    for name, host in lab.hosts.items():
        assert isinstance(host, FakeHost)
        fed[name] = [line for text in host.fed for line in text.splitlines() if "ping" in line]
    return fed


async def test_a_trial_brings_an_overlay_up_as_a_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given what a run does until its first sample
    run_lab, run_overlay, run_experiment, run_events = fake_lab(), FakeOverlay(), Warming(), list[Event]()
    with new_folder(tmp_path) as folder:
        await go(folder, run_experiment, {"fake": run_overlay}, run_events, run_lab)
    # when a trial of the same cells is made
    lab, overlay, experiment, events = fake_lab(), FakeOverlay(), Warming(), list[Event]()

    def emulated(*_: Any, **__: Any) -> Standing:
        return Standing(lab)

    monkeypatch.setattr(emulation, "Emulation", emulated)
    monkeypatch.setattr(module, "measurable", lambda *_: lab)
    cells = [Cell("fake", metric) for metric in ("x", "y")]
    async with module.trial(lab.topology, overlay, experiment, cells, emit=events.append) as made:
        warmed_up = list(experiment.measured)
        sample = await made.sample(cells[0])
    # then each pair has exchanged a packet and each metric was warmed up, step by step as there
    assert pings(lab) == pings(run_lab)
    assert any(pings(lab).values())
    assert warmed_up[0] == run_experiment.measured[0] == "prepared AMS PRG"
    assert sorted(warmed_up) == sorted(run_experiment.measured[:3])
    assert overlay.told[:2] == run_overlay.told[:2] == ["install", "ready"]
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert steps == [event.step for event in run_events if isinstance(event, StepDone)][: len(steps)]
    assert steps[-1] == "fake: warm-up"
    assert sample.valid
    assert experiment.measured == [*warmed_up, "fake/x"]
