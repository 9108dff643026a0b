"""The CPU of hosts over a measurement: one panel for each overlay and metric, without other load."""

from __future__ import annotations

import random
from pathlib import Path

from experiments.cpu import Cpu
from lab import catalog
from lab.report import timeline
from lab.runs.experiment import Cell
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from tests.unit.experiments.helpers import BUSY
from tests.unit.synthetic import synthetic


def run_of(path: Path, machine: dict[str, object]) -> StoredRun:
    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {"received_mbps": 50 + chance.random()}

    topology = catalog.topology("point_to_point")
    return synthetic(path, ("weave",), experiment=Cpu(), topology=topology, values=values, machine=machine)


def test_a_panel_is_the_first_sample_of_each_metric_without_load(tmp_path: Path) -> None:
    run = run_of(tmp_path, BUSY)
    chosen = timeline.chosen(run)
    assert [(sample.metric, sample.params["stress"], sample.bring_up) for sample in chosen] == [
        ("tcp", 0, 1),
        ("udp", 0, 1),
    ]
    svg, *_, caption = timeline.draw(run, tmp_path / "cpu")
    text = svg.read_text()
    assert all(
        f">{words}</text>" in text for words in ("weave (test), tcp", "weave (test), udp", "AMS", "BRA")
    )
    assert caption.read_text().startswith("CPU of the hosts over a measurement\n")


def test_without_readings_over_time_there_is_no_figure(tmp_path: Path) -> None:
    assert timeline.draw(run_of(tmp_path, {}), tmp_path / "cpu") == []
