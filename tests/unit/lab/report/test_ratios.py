"""Every overlay against every other."""

from __future__ import annotations

import random
from pathlib import Path

from experiments.throughput import Throughput
from lab import catalog
from lab.report import ratios
from lab.runs.experiment import Cell
from lab.topology import Topology
from tests.unit.synthetic import synthetic, throughput_run


def test_every_overlay_is_held_against_every_other_in_the_same_cell(tmp_path: Path) -> None:
    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {
            "received_mbps": {"underlay": 100, "weave": 50, "tinc": 25}[cell.overlay] + chance.random() / 10
        }

    topology = catalog.topology("point_to_point")
    three = synthetic(
        tmp_path, ("underlay", "weave", "tinc"), experiment=Throughput(), topology=topology, values=values
    )
    table = ratios.table(three)
    assert table.sections[0].heading == "tcp/from=AMS/to=BRA"
    rows = {(a, b): words for a, b, words in table.sections[0].rows}
    assert rows.keys() == {("weave", "underlay"), ("tinc", "underlay"), ("tinc", "weave")}
    assert rows["tinc", "weave"].startswith("0.50 [")
    # and of too few valid samples there is no ratio
    assert ratios.table(throughput_run(tmp_path / "two", 100, repetitions=2)).sections == []
