"""Fragmentation: its datagrams, and its claims in worlds made up for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import fragmentation
from lab.measure import ethtool
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Verdict,
)
from lab.runs.experiment import Cell
from tests.unit.experiments.helpers import MTU, about, load, made_up, rate


def test_the_datagram_that_fills_seven_packets_has_about_10000_bytes() -> None:
    from lab.measure.ethtool import udp_payload

    assert fragmentation.FRAGMENTS[-1] == 7
    assert udp_payload(1500, 7) == 10352
    assert udp_payload(1500) == 1472


@pytest.mark.parametrize(
    ("share", "verdicts"),
    [(0.7, (REPRODUCED, REPRODUCED)), (1.2, (REFUTED, REFUTED)), (0.8, (OPEN, REPRODUCED))],
)
def test_what_encapsulation_costs_udp(share: float, verdicts: tuple[Verdict, ...], tmp_path: Path) -> None:
    def carried(cell: Cell) -> dict[str, float]:
        size = ethtool.udp_payload(MTU[cell.overlay], cell.params["fragments"])
        packets = share if cell.overlay != "underlay" else 1
        return {**rate(size / 1472 * 100 * packets), "datagram_bytes": size}

    run = made_up(tmp_path, "fragmentation", carried, spread=0.002)
    assert (about(run, "encapsulation costs"), about(run, "Even with offload")) == verdicts


@pytest.mark.parametrize("gone", [True, False])
def test_what_needs_ufo_cannot_be_told_without(gone: bool, tmp_path: Path) -> None:
    facts = {"ufo": ethtool.NO_UFO} if gone else {}
    run = made_up(tmp_path, "fragmentation", lambda cell: rate(50), facts=facts)
    assert about(run, "Even with offload") == OPEN
    (claim,) = [c for c in load("fragmentation").claims if "Even with offload" in c.text]
    assert ("gone from Linux since 4.14" in claim.answer(run).text) == gone


def test_offload_of_fragments_cannot_be_told_where_linux_has_none(tmp_path: Path) -> None:
    def growing(cell: Cell) -> dict[str, float]:
        gain = 1 + 0.1 * cell.params["fragments"] if cell.params["offload"] == "on" else 1
        return rate(50 * gain)

    gone = made_up(tmp_path / "a", "fragmentation", growing, facts={"ufo": ethtool.NO_UFO})
    claim = next(c for c in load("fragmentation").claims if c.text.startswith("Offload lifts"))
    assert claim.answer(gone).verdict == OPEN
    assert "gone from Linux since 4.14" in claim.answer(gone).text
    # where a kernel has it, the samples tell
    assert claim.answer(made_up(tmp_path / "b", "fragmentation", growing)).verdict == REPRODUCED
