"""The page that compares overlays: its numbers are the run's, and what does not count is said."""

from __future__ import annotations

from pathlib import Path

from experiments.multihop.experiment import Multihop
from lab import catalog
from scripts.overlays_compared import REAL, page
from tests.unit.synthetic import synthetic


def test_every_overlay_of_a_run_has_a_row_with_what_was_measured(tmp_path: Path) -> None:
    run = synthetic(
        tmp_path,
        ("underlay", "tinc"),
        experiment=Multihop(),
        topology=catalog.topology("linear"),
        values=lambda cell, topology, chance: {
            "mean_ms": 10.0 * int(str(cell.params["hops"])),
            "received_mbps": 7.5,
        },
    )
    text = page(run)
    assert REAL in text
    assert "| tinc | overlay | test |" in text
    assert "| underlay | routed underlay | test |" in text
    (latency,) = [part for part in text.split("## ") if part.startswith("Round trip, ms")]
    row = next(line for line in latency.splitlines() if line.startswith("| tinc"))
    assert [cell.strip().split()[0] for cell in row.split("|")[2:-1]] == [
        f"{10 * hops}.00" for hops in (1, 2, 3, 4, 5)
    ]
    assert "7.5 ± 0.0" in text
