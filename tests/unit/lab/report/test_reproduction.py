"""Answers of two runs beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.throughput import Throughput
from lab.report.reproduction import Agreement, pairs, table
from tests.unit.synthetic import carrying

HALF = "udp-half"


@pytest.mark.parametrize(
    ("ours", "spread", "agreement"),
    [(0.5, 0.5, "the same answer"), (0.9, 0.5, "another answer"), (0.55, 20, "cannot be told")],
)
def test_a_claim_has_the_same_answer_another_or_none(
    ours: float, spread: float, agreement: Agreement, tmp_path: Path
) -> None:
    theirs, here = carrying(tmp_path / "a", 0.5, run="theirs"), carrying(tmp_path / "b", ours, spread)
    found = {pair.claim.id: pair for pair in pairs(Throughput.claims, theirs, here)}
    assert found[HALF].agreement == agreement
    section = next(one for one in table([found[HALF]], theirs, here).sections)
    assert section.heading.startswith(f"{agreement}: The UDP throughput of the overlays is merely half")
    assert section.rows[0] == ["answer", found[HALF].theirs.verdict, found[HALF].ours.verdict]
    label, *figures = section.rows[1]
    assert label == "weave (fastdp)"
    assert figures[0].startswith("0.5")
    assert all("[" in figure for figure in figures)
    assert (len(section.rows) == 3) == (agreement == "cannot be told")


def test_the_title_counts_the_answers(tmp_path: Path) -> None:
    theirs, here = carrying(tmp_path / "a", 0.5, run="theirs"), carrying(tmp_path / "b", 0.9)
    made = table(pairs(Throughput.claims, theirs, here), theirs, here)
    assert made.title.startswith("claims in both runs: ")
    assert "1 another answer" in made.title
    assert made.columns == ["", "run theirs", "run mine01, here"]
