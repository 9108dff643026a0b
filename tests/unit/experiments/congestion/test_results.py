"""Congestion: what the routers' counters and a fall back to sleeve answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Verdict,
)
from tests.unit.experiments.helpers import about, load, made_up, rate


def test_one_fall_back_to_sleeve_is_enough_and_none_proves_nothing(tmp_path: Path) -> None:
    run = made_up(tmp_path, "congestion", lambda cell: rate(10) | {"retransmits": 1.0})
    fast = [s.model_copy(update={"overlay": "weave:mode=fastdp"}) for s in run.samples]
    said = ["mode went from fastdp to sleeve during the sample"]
    fallen = [s.model_copy(update={"changed": said}) if s.params["hops"] == 3 else s for s in fast]
    assert about(run, "fall back to sleeve") == OPEN
    assert about(replace(run, samples=fast), "fall back to sleeve") == OPEN
    assert about(replace(run, samples=fallen), "fall back to sleeve") == REPRODUCED


@pytest.mark.parametrize(("relay", "verdict"), [((5, 900), REPRODUCED), ((900, 5), REFUTED)])
def test_what_relays_counted_answers_the_question_of_the_thesis(
    relay: tuple[int, int], verdict: Verdict, tmp_path: Path
) -> None:
    run = made_up(tmp_path, "congestion", lambda cell: rate(10) | {"retransmits": 1.0})
    hit, lost = relay
    counted = {f"{name} hit": 900 for name in ("AMS", "AMS2")} | {
        f"{name} missed": 9 for name in ("AMS", "AMS2")
    }
    for name in ("PRG", "BRA", "LJU", "MIL"):
        counted |= {f"{name} hit": hit, f"{name} missed": lost}
    samples = [s.model_copy(update={"datapath": counted}) if s.overlay == "weave" else s for s in run.samples]
    on_fastdp = replace(run, samples=samples)
    experiment = load("congestion")
    claim = next(c for c in experiment.claims if "relays" in c.text)
    assert claim.answer(on_fastdp).verdict == verdict
    table = experiment.tables(on_fastdp)[-1]
    shown = [row for row in table.sections[0].rows if row[1] == "3" and row[3] == "relay"]
    assert [row[2] for row in shown] == ["PRG", "BRA"]
    assert shown[0][-1] == f"{lost / (hit + lost):.0%}"
    assert any("Why relays miss" in note for note in table.notes) == (verdict == REPRODUCED)
    # without such counters nothing can be told, and there is no such table
    assert claim.answer(run).verdict == OPEN
    assert len(experiment.tables(run)) == len(experiment.tables(on_fastdp)) - 1
