"""Paths: a circuit is cut, and always mended; dark time is drawn beside latency."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments import paths
from lab import catalog
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.runs.experiment import Cell
from lab.topology import Topology
from tests.unit.experiments.helpers import grid
from tests.unit.fakes import FakeHost
from tests.unit.synthetic import synthetic


async def test_a_circuit_is_cut_at_both_ends_and_always_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_wait(_: float) -> None: ...

    monkeypatch.setattr("experiments.paths.asyncio.sleep", no_wait)
    experiment = paths.Paths()
    cell = next(c for c in grid(experiment) if c.metric == "failure")
    rules: list[Sequence[str]] = []

    def answer(argv: Sequence[str]) -> tuple[int, str]:
        if "iptables" in argv:
            rules.append(argv)
            return int("-D" in argv and rules.count(argv) > 1), ""
        return 0, "12.5" if "date" in argv else ""

    found: dict[str, Any] = {
        host.name: Endpoint(FakeHost(host.name, answer), "c", "192.0.2.1")  # type: ignore[arg-type]
        for host in catalog.topology("ring").hosts
    }
    # when nobody answers, which is no measurement
    with pytest.raises(MeasureError, match="no answer before the link was cut"):
        await experiment.measure(cell, found)
    # then every rule that was set is gone
    assert cell.params["cut"] == "AMS:eth1+PRG:eth1"
    assert [("-I" in r, "-D" in r) for r in rules].count((True, False)) == 2
    assert sum("-D" in rule for rule in rules) == 3, "until the answer is that there is none left"


def test_a_failing_circuit_takes_the_time_before_and_after_as_well() -> None:
    (cell,) = [c for c in grid(paths.Paths()) if c.metric == "failure"]
    assert cell.seconds == 90
    assert cell.duration == 2 + 90 * 1.5


def test_dark_time_is_beside_latency_with_sites_in_the_order_of_the_ring(tmp_path: Path) -> None:
    def values(cell: Cell, topology: Topology, _: random.Random) -> dict[str, float]:
        if cell.metric == "failure":
            return {"dark_s": 12.0, "gap_s": 0.1, "around": 1.0}
        return {"mean_ms": topology.rtt(cell.params["from"], cell.params["to"])}

    ring, experiment = catalog.topology("ring"), paths.Paths()
    run = synthetic(tmp_path, ("underlay", "tinc"), experiment=experiment, topology=ring, values=values)
    files = experiment.figures(run, tmp_path / "figures")
    assert [file.name for file in files] == ["paths.svg", "paths.pdf", "paths.png", "paths.txt"]
    svg = files[0].read_text()
    places = [svg.index(f">to {site}</text>") for site in ("PRG", "BRA", "LJU", "MIL")]
    assert places == sorted(places)
    assert ">outage, s</text>" in svg
    assert ">of the links alone</text>" in svg
