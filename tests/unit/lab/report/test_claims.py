"""Claims, decided by intervals; and the scorecard of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from lab import catalog
from lab.app.request import all_claims, load_experiment
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Band,
    Check,
    Claim,
    Trending,
    Verdict,
    check_trends,
    judge,
    scorecard,
    scorecard_table,
)
from lab.report.statistics import Estimate
from lab.runs.experiment import Cell, Experiment
from tests.unit.experiments.helpers import as_in_2016, made_up, rate
from tests.unit.synthetic import synthetic


def test_weave_in_sleeve_refutes_nothing_and_tinc_is_not_asked(tmp_path: Path) -> None:
    def slow(cell: Cell) -> dict[str, float]:
        return rate({"underlay": 100.0, "libnetwork": 110.0}.get(cell.overlay, 10.0))

    experiment: Experiment = load_experiment("throughput")
    topology = catalog.topology(experiment.topology)
    run = synthetic(
        tmp_path,
        ("underlay", "libnetwork", "weave", "tinc"),
        experiment=experiment,
        topology=topology,
        values=lambda cell, _, chance: {k: v + chance.random() for k, v in slow(cell).items()},
        mode={"mode": "sleeve"},
    )
    (claim,) = [c for c in experiment.claims if "with offload" in c.text]
    answer = claim.answer(run)
    assert answer.verdict == OPEN
    assert "weave (sleeve): 0.1" in answer.text
    assert "the studies' Weave used its fast datapath" in answer.text
    assert "tinc" not in answer.text
    # and on the fast datapath the same figures do
    fast = replace(run, samples=[s.model_copy(update={"mode": {"mode": "fastdp"}}) for s in run.samples])
    assert claim.answer(fast).verdict == REFUTED


@pytest.mark.parametrize(
    ("estimate", "verdict"),
    [
        (Estimate(1, 0.8, 1.2), REPRODUCED),
        (Estimate(3, 2.5, 3.5), REFUTED),
        (Estimate(1.9, 1.7, 2.1), OPEN),
        (None, OPEN),
    ],
)
def test_an_interval_decides_only_when_it_lies_within_or_without(
    estimate: Estimate | None, verdict: Verdict
) -> None:
    found = judge(Check("x", Band(0.5, 2.0), lambda confidence: estimate))
    assert found.verdict == verdict
    if estimate:
        assert "claimed 0.5 to 2" in found.text


def test_more_checks_make_wider_intervals() -> None:
    asked: list[float] = []

    def estimate(confidence: float) -> Estimate:
        asked.append(confidence)
        return Estimate(1, 1, 1)

    checks = [Check(str(n), Band(), estimate) for n in range(5)]
    claim = Claim("c", "s", "m", lambda run: checks)
    claim.answer(None)  # type: ignore[arg-type]
    assert asked == pytest.approx([0.99] * 5)


def test_trends_of_chance_are_rarely_taken_for_trends() -> None:
    chance = random.Random(5)
    wrong = 0
    for _ in range(200):
        places = [float(n) for n in range(6) for _ in range(3)]
        rows = [Trending("r", places, [chance.random() for _ in places]) for _ in range(3)]
        wrong += any(finding.verdict != OPEN for finding in check_trends(rows, rising=True))
    assert wrong <= 0.05 * 200 + 5


def test_the_scorecard_has_every_claim_and_says_which_run_is_missing(tmp_path: Path) -> None:
    run = made_up(tmp_path, "throughput", as_in_2016)
    rows = scorecard(all_claims(), [run, run])
    assert {row.claim.text for row in rows} == {
        claim.text for claims in all_claims().values() for claim in claims
    }
    assert len([row for row in rows if row.run == run.manifest.run]) == 8, "four claims, two runs"
    absent = next(row for row in rows if "streaming" in row.answer.text)
    assert absent.answer.verdict == OPEN
    assert "no run of streaming; make one with 'emulate streaming'" in absent.answer.text
    drawn = scorecard_table(rows)
    assert drawn.title.startswith("scorecard: 8 reproduced, 0 not reproduced")
    assert all(len(row) == len(drawn.columns) for section in drawn.sections for row in section.rows)


def test_an_overlay_that_cannot_be_had_is_the_reason(tmp_path: Path) -> None:
    experiment = load_experiment("multihop")
    state = {"state": "not obtainable", "reason": "no router", "remedy": "get one"}
    run = synthetic(tmp_path, ("underlay",), overlays={"underlay": {"state": "ok"}, "weave": state})
    for claim in experiment.claims:
        assert claim.answer(run).verdict == OPEN
        assert "weave: not obtainable here: no router" in claim.answer(run).text
