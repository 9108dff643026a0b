"""What is told before a run of a rate that this machine plainly does not carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.runs import capacity, capacity_estimate
from overlays.registry import parse
from topologies.linear import topology
from topologies.point_to_point import topology as pair


def test_it_is_said_before_a_run_that_daemons_in_a_row_cannot_carry_a_gigabit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(capacity_estimate.os, "cpu_count", lambda: 2)
    chain = topology(rate=1000)

    def said(name: str, network: Any = chain) -> str:
        return capacity_estimate.warning(name, parse(name), network, tmp_path)

    assert said("weave").startswith(
        "weave at 1000 Mbit/s: 6 daemons in a row that carry packets in user space need 9.0 processors at "
        "least, and this machine has 2."
    )
    assert "6 daemons" in said("tinc")
    assert "2 daemons" in said("flannel:backend=udp")
    # what the kernel carries, and what fits, is not guessed at
    assert said("flannel") == said("underlay") == said("libnetwork") == said("weave:mode=fastdp") == ""
    assert said("weave", topology(rate=20)) == ""
    assert said("weave", topology(rate=None)) == ""
    assert said("tinc", pair(rate=500)) == ""


def test_what_was_found_here_is_said_before_a_run_above_it(tmp_path: Path) -> None:
    chain = topology(rate=50)
    above = capacity.CapacityTrial(
        40.0, "weave/udp/hops=5", "emulator-bound", ("the machine's CPUs were 99% busy",)
    )
    capacity_estimate.remember("weave", topology(), capacity.Capacity(31.0, above, ()), tmp_path)
    said = capacity_estimate.warning("weave", parse("weave"), chain, tmp_path)
    assert said.startswith("weave at 50 Mbit/s: this machine carried 31 on 20")
    assert "weave/udp/hops=5 is emulator-bound: the machine's CPUs were 99% busy" in said
    # below it, of another overlay, and of another network nothing is known
    assert capacity_estimate.warning("weave", parse("weave"), topology(rate=20), tmp_path) == ""
    assert capacity_estimate.warning("libnetwork", parse("libnetwork"), chain, tmp_path) == ""
    assert capacity_estimate.warning("weave", parse("weave"), pair(rate=50), tmp_path) == ""
    # a later finding takes its place, and a file that is none is no trouble
    capacity_estimate.remember("weave", topology(), capacity.Capacity(60.0, above, ()), tmp_path)
    assert capacity_estimate.warning("weave", parse("weave"), chain, tmp_path) == ""
    (tmp_path / capacity_estimate.FILE).write_text("{")
    assert capacity_estimate.warning("weave", parse("weave"), chain, tmp_path) == ""
