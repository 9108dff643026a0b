"""Bring-up of an overlay: its steps, the same for whoever asks, and the warm-up that is thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OverlayError
from lab.events import Event, Note, StepDone
from lab.report import captions
from lab.runs import bring_up
from lab.runs.bring_up import Phases, roll_back
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import RunFolder, read
from tests.unit.fakes import FakeExperiment, FakeOverlay, fake_lab, new_folder
from tests.unit.lab.runs.test_runner import go
from topologies.four_pairs import topology as four_pairs


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
    assert bring_up.warm_up_cells(experiment, cells) == []
    experiment.warm_up = 2.0  # type: ignore[misc]
    assert [(c.metric, c.params, c.seconds) for c in bring_up.warm_up_cells(experiment, cells)] == [
        ("tcp", {"hops": 1}, 2.0)
    ]


class Warming(FakeExperiment):
    """Warms up; remembers for whom it was prepared."""

    warm_up = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[list[str]] = []

    async def prepare(self, endpoints: Mapping[str, Any]) -> None:
        self.prepared.append(list(endpoints))


async def test_every_step_is_told_and_timed() -> None:
    events: list[Event] = []
    lab, overlay, experiment = fake_lab(), FakeOverlay(), Warming()
    phases = bring_up.Phases("o", events.append)
    ends = await bring_up.bring_up(overlay, lab.hosts, lab.topology, phases, experiment, [Cell("o", "x")])
    steps = [
        "install",
        "ready",
        "endpoints",
        "a packet between every pair of endpoints",
        "preparation",
        "warm-up",
    ]
    assert [event.step for event in events if isinstance(event, StepDone)] == [f"o: {one}" for one in steps]
    assert list(phases.timing) == steps
    assert (list(ends), experiment.prepared, experiment.measured) == (
        ["AMS", "PRG"],
        [["AMS", "PRG"]],
        ["o/x"],
    )


async def test_a_lab_to_work_in_has_nothing_to_prepare_and_to_warm_up() -> None:
    lab, overlay, phases = fake_lab(), FakeOverlay(), bring_up.Phases("o", lambda event: None)
    await bring_up.bring_up(overlay, lab.hosts, lab.topology, phases)
    assert list(phases.timing)[-1] == "a packet between every pair of endpoints"


async def test_endpoints_that_do_not_reach_each_other_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[tuple[str, str]]] = []

    async def silent_pair(endpoints: Any, pairs: Any, **_: Any) -> None:
        asked.append(list(pairs))
        raise OverlayError("no packet passed between AMS–PRG")

    monkeypatch.setattr(bring_up, "every_pair", silent_pair)
    lab, experiment = fake_lab(), Warming()
    phases = bring_up.Phases("o", lambda event: None)
    with pytest.raises(OverlayError, match="no packet passed"):
        await bring_up.bring_up(FakeOverlay(), lab.hosts, lab.topology, phases, experiment)
    assert asked == [[("AMS", "PRG")]]
    assert experiment.prepared == []


def test_hosts_of_parts_that_do_not_touch_are_no_pair() -> None:
    topology = four_pairs()
    hosts = [host.name for host in topology.hosts]
    found = list(bring_up.pairs(hosts, topology))
    assert len(found) == 4 < len(hosts) * (len(hosts) - 1) / 2
    assert {frozenset(pair) for pair in found} == {frozenset((link.a, link.b)) for link in topology.links}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OverlayError("fake: PRG does not answer"), "could not be removed from every host: fake: PRG does"),
        (TimeoutError(), "could not be removed from every host: no end within 20 s"),
    ],
)
async def test_what_fails_while_an_overlay_is_rolled_back_is_told_and_raises_nothing(
    error: Exception, said: str
) -> None:
    events: list[Event] = []
    await bring_up.roll_back(FakeOverlay(uninstall=error), bring_up.Phases("fake", events.append), 20)
    assert [said in event.text for event in events if isinstance(event, Note)] == [True]


@pytest.mark.parametrize(("limit", "reason"), [(20.0, "no end within 20 s"), (None, "it timed out")])
async def test_an_uninstall_that_does_not_end_is_told_with_its_limit(
    limit: float | None, reason: str
) -> None:
    class Endless(FakeOverlay):
        async def uninstall(self) -> None:
            raise TimeoutError

    events: list[Event] = []
    await roll_back(Endless(), Phases("fake", events.append), limit)

    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes == [f"fake could not be removed from every host: {reason}"]
