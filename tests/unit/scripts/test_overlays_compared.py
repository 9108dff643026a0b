"""The page that compares overlays: its numbers are the runs', and what does not count is said."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from experiments.encryption import Encryption
from experiments.multihop.experiment import Multihop
from experiments.paths import Paths
from lab import catalog
from lab.runs.experiment import Cell
from lab.runs.manifest import Resources
from lab.topology import Topology
from scripts.overlays_compared import DATA, DRAWN, FIGURES, PAGE, RUNS, Runs, figures, keep, page, stored
from tests.unit.synthetic import synthetic

OVERLAYS = ("underlay", "tinc")


def values(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
    """Figures that are known again in the tables."""
    hops = int(str(cell.params.get("hops", 1)))
    own = 1.0 if cell.overlay == "tinc" else 0.0
    return {
        "mean_ms": 10.0 * hops + own * hops,
        "received_mbps": 7.5,
        "dark_s": 12.5,
        "gap_s": 0.25,
        "around": own,
    }


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    memory = {"AMS": 3 * 2**20, "PRG": 5 * 2**20}
    resources = {"tinc": [Resources(bring_up=n, seconds=2.5, memory=memory) for n in (1, 2, 3)]}
    hosts = {"AMS": {"cpu_s": 0.1}, "BRA": {"cpu_s": 0.125}}
    linear, ring = (catalog.topology(name) for name in ("linear", "ring"))
    kinds: list[dict[str, Any]] = [
        {"experiment": Multihop(), "topology": linear, "resources": resources},
        {"experiment": Encryption(), "machine": {"hosts": hosts}},
        {"experiment": Paths(), "topology": ring, "clock": "virtual"},
    ]
    made = zip(RUNS, kinds, strict=True)
    return {name: synthetic(tmp_path / name, OVERLAYS, values=values, **kind) for name, kind in made}


def row(text: str, heading: str, overlay: str) -> list[str]:
    """The cells of an overlay's row in the part below a heading, without its name."""
    part = next(part for part in text.split("# ") if part.startswith(heading))
    (line,) = [line for line in part.splitlines() if line.startswith(f"| {overlay}")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_every_overlay_has_a_row_with_what_was_measured(runs: Runs) -> None:
    text = page(runs)
    assert row(text, "What they are", "tinc")[:2] == ["overlay", "test"]
    assert row(text, "Bring-up", "tinc") == ["2.5 ± 0.0 [2.5–2.5]", "4.0 ± 0.0 [4.0–4.0]"]
    assert [cell.split()[0] for cell in row(text, "Round trip, ms", "tinc")] == [
        f"{11 * hops}.00" for hops in (1, 2, 5)
    ]
    assert row(text, "What a hop adds", "tinc") == ["1.00 [1.00–1.00]"]
    assert row(text, "When a link fails", "tinc")[:2] == ["1 of 1", "12.5"]
    assert row(text, "When a link fails", "underlay")[0] == "0 of 1"
    assert "Time was virtual" in text


def test_a_gigabit_costs_the_processor_time_of_both_hosts(runs: Runs) -> None:
    # 0.225 s for 3 s, with the one that does not count, of 7.5 Mbit/s
    assert row(page(runs), "Encryption", "tinc")[1].startswith("10.0")


def test_a_page_of_archives_is_that_of_their_runs(runs: Runs, tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = [keep(run.path, data) for run in runs.values()]
    before = [path.read_bytes() for path in made]
    assert page(stored(data)) == page(runs)
    assert [keep(run.path, data).read_bytes() for run in runs.values()] == before


def test_the_page_of_the_documentation_is_that_of_the_runs_that_are_kept() -> None:
    assert PAGE.read_text() == page(stored(DATA)), "run: make docs-data"


def test_figures_are_of_the_labs_own_overlays(runs: Runs, tmp_path: Path) -> None:
    both = dict(runs, multihop=synthetic(tmp_path / "more", (*OVERLAYS, "hub"), values=values))
    drawn = figures(both, tmp_path)
    assert sorted(file.stem for file in drawn) == sorted(DRAWN.values())
    texts = [file.read_text() for file in drawn]
    assert all(">tinc (test)</text>" in text for text in texts)
    assert not any("hub (test)" in text for text in texts)


def test_the_figures_of_the_documentation_are_of_the_runs_that_are_kept() -> None:
    kept = {f"run {run.manifest.run}." for run in stored(DATA).values()}
    for name in DRAWN.values():
        about = (FIGURES / f"{name}.svg").read_text().split("</metadata>")[0]
        assert any(words in about for words in kept), f"{name}: run: make docs-data"
