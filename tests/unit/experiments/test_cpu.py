"""CPU that is taken away: for how long, and the claim that a sender uses its own up."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import cpu
from lab import catalog
from lab.report.claims import (
    OPEN,
)
from tests.unit.experiments.helpers import BUSY, as_in_2016, endpoints, grid, load, made_up, text


async def test_stress_runs_for_its_share_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def no_wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("experiments.cpu.asyncio.sleep", no_wait)
    experiment = cpu.Cpu()
    cell = next(c for c in grid(experiment) if c.params["stress"] == 40 and c.metric == "tcp")
    recorded = {"stress-ng": "", "iperf3": text("iperf3/tcp.json")}
    found = endpoints(catalog.topology(experiment.topology), recorded)
    await experiment.measure(cell, found)
    (stressed,) = [argv for argv in found["AMS"].host.ran if "stress-ng" in argv]  # type: ignore[attr-defined]
    assert stressed[3:7] == ("timeout", "-k", "2", f"{cell.seconds * 0.4:g}")
    assert waited == [cell.warmup]


def test_a_host_that_may_use_every_cpu_has_none_to_use_up(tmp_path: Path) -> None:
    run = made_up(tmp_path, "cpu", as_in_2016, machine=BUSY)
    run.manifest.topology.update(catalog.topology("point_to_point").to_dict())
    (claim,) = [c for c in load("cpu").claims if "CPU of the sending host" in c.text]
    assert claim.answer(run).verdict == OPEN
    assert "may use all CPUs of this machine" in claim.answer(run).text
