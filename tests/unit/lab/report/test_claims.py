"""Claims, decided by intervals; and the scorecard of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from lab import catalog
from lab.app.request import all_claims, load_experiment
from lab.cli.console import lines, result_tables
from lab.report import html
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Band,
    Check,
    Claim,
    Need,
    Trending,
    Verdict,
    check_trends,
    judge,
    scorecard,
    scorecard_table,
    undecided,
)
from lab.report.selection import Group, SampleValue
from lab.report.statistics import Estimate
from lab.runs.experiment import Cell, Experiment
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Verdict as SampleVerdict
from lab.topology import Topology
from tests.unit.experiments.helpers import as_in_2016, load, made_up, rate
from tests.unit.synthetic import synthetic, throughput_run


@pytest.mark.parametrize(("carried", "verdict"), [(110.0, REFUTED), (40.0, REPRODUCED)])
def test_weave_in_sleeve_says_neither_and_tinc_is_not_asked(
    carried: float, verdict: Verdict, tmp_path: Path
) -> None:
    def slow(cell: Cell) -> dict[str, float]:
        return rate({"underlay": 100.0, "libnetwork": 50.0, "weave": carried}.get(cell.overlay, 10.0))

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
    (claim,) = [c for c in load("throughput").claims if "UDP throughput of the overlays is below" in c.text]
    answer = claim.answer(run)
    assert answer.verdict == OPEN
    assert f"weave (sleeve): {carried / 100:.1f}" in answer.text
    assert "the studies' Weave used its fast datapath" in answer.text
    assert "tinc" not in answer.text
    # and on the fast datapath the same figures do
    fast = replace(run, samples=[s.model_copy(update={"mode": {"mode": "fastdp"}}) for s in run.samples])
    assert claim.answer(fast).verdict == verdict


def test_tcp_at_the_links_limit_tells_nothing_of_overlays(tmp_path: Path) -> None:
    def values(cell: Cell) -> dict[str, float]:
        return rate(955.0 if cell.overlay == "underlay" else 955.0 * 1398 / 1448)

    run = made_up(tmp_path / "bound", "throughput", values, 0.0005)
    (claim,) = [c for c in load("throughput").claims if "of some overlays" in c.text]
    assert claim.answer(run).verdict == OPEN
    assert "the maximum of the link" in claim.answer(run).text
    # and below it the same shares do
    half = made_up(tmp_path / "free", "throughput", lambda cell: rate(values(cell)["sent_mbps"] / 2), 5e-4)
    assert claim.answer(half).verdict == REFUTED


def test_links_that_are_the_limit_tell_nothing_of_hops(tmp_path: Path) -> None:
    """UDP of 9.72 on links of 10 Mbit/s would fall slightly over any relay that carries it."""
    (claim,) = [c for c in load("multihop").claims if "UDP throughput falls only slightly" in c.text]
    full = made_up(tmp_path / "a", "multihop", lambda cell: {"mean_ms": 1.0, **rate(9.72)}, rate=10.0)
    assert claim.answer(full).verdict == OPEN
    assert "the links are its limit" in claim.answer(full).text
    free = made_up(tmp_path / "b", "multihop", lambda cell: {"mean_ms": 1.0, **rate(9.72)}, 0.0, rate=100.0)
    assert claim.answer(free).verdict == REPRODUCED


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


@pytest.mark.parametrize(
    ("estimate", "number"),
    [
        (Estimate(0.39401, 0.39399, 0.39403), "0.394"),
        (Estimate(0.394, 0.392, 0.396), "0.394 [0.392–0.396]"),
        (Estimate(956.4, 956.4, 956.4), "956"),
        # "1 of the lookups" would be a count of them
        (Estimate(0.9999, 0.9998, 1), "1.00"),
        (Estimate(0, 0, 0), "0.00"),
    ],
)
def test_an_interval_without_width_is_not_printed(estimate: Estimate, number: str) -> None:
    found = judge(Check("x", Band(0, 1), lambda confidence: estimate, unit="of the lookups"))
    assert found.number == f"{number} of the lookups"


def claim_of(*means: float, need: Need = "all", half: float = 1.0) -> tuple[Claim, list[float]]:
    """A claim that each of these lies from 0 to 10, with intervals of `half` at 95 % and wider ones else."""
    asked: list[float] = []

    def check(mean: float) -> Check:
        def estimate(confidence: float) -> Estimate:
            asked.append(confidence)
            width = half if confidence == pytest.approx(0.95) else 2 * half
            return Estimate(mean, mean - width, mean + width)

        return Check(str(mean), Band(0, 10), estimate)

    return Claim("c", "s", "m", lambda run: [check(mean) for mean in means], need=need), asked


@pytest.fixture
def measured(tmp_path: Path) -> StoredRun:
    return throughput_run(tmp_path, 100)


@pytest.mark.parametrize(
    ("means", "need", "verdict"),
    [
        ((5, 5, 5), "all", REPRODUCED),
        ((5, 1.5, 8.5), "all", REPRODUCED),  # within at 95 % each: that is enough where all have to be
        ((5, 11.5), "all", OPEN),  # without at 95 %, but one of two is without by chance more often
        ((5, 12.5), "all", REFUTED),
        ((-5, -5), "some", REFUTED),
        ((-5, -1.5), "some", REFUTED),
        ((-5, 1.5), "some", OPEN),
        ((-5, 5), "some", REPRODUCED),
        ((-5, 0.5), "some", OPEN),
    ],
)
def test_intervals_are_wider_only_where_one_of_several_decides(
    means: tuple[float, ...], need: Need, verdict: Verdict, measured: StoredRun
) -> None:
    claim, asked = claim_of(*means, need=need)
    assert claim.answer(measured).verdict == verdict
    assert {round(one, 6) for one in asked} == {0.95, round(1 - 0.05 / len(means), 6)}


def test_trends_of_chance_are_rarely_taken_for_trends() -> None:
    """A trend of the size claimed is found nearly always; one of half the size nearly never."""
    chance = random.Random(5)
    found = {1.0: 0, 0.5: 0}
    for size in found:
        for _ in range(200):
            blocks = [(n, 100 + chance.gauss(0, 15)) for n in range(5)]
            groups = {
                x: Group([SampleValue(n, mean - 0.2 * size * x + chance.gauss(0, 1)) for n, mean in blocks])
                for x in range(0, 101, 20)
            }
            (check,) = check_trends([Trending.over("r", groups, "%")], Band(high=-0.13))
            assert isinstance(check, Check)
            found[size] += judge(check).verdict == REPRODUCED
    assert found[1.0] > 150
    assert found[0.5] < 10


def test_a_trend_needs_every_place_in_three_bring_ups() -> None:
    groups = {x: Group([SampleValue(n, 10.0 * x) for n in range(3 if x < 4 else 2)]) for x in range(1, 5)}
    (check,) = check_trends([Trending.over("r", groups, "hops")], Band())
    assert isinstance(check, Check)
    assert judge(check) == undecided("r: 4 hops has valid samples of 2 bring-ups, 3 are needed")


def bound(repetition: int) -> SampleVerdict:
    """Every third sample was limited by the machine."""
    return SampleVerdict(state="emulator-bound", reasons=["CPU"]) if repetition % 3 == 0 else SampleVerdict()


def half_of_control(path: Path, spoilt: float | None = 50.0, collapsed: int = 0) -> tuple[Claim, StoredRun]:
    """UDP is half of the control's; what does not count is `spoilt`, and so many samples collapsed."""
    numbers: dict[str, int] = {}

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        number = numbers[cell.key] = numbers.get(cell.key, 0) + 1
        if cell.overlay == "underlay":
            return rate(100 + chance.random())
        return rate(spoilt if spoilt is not None and number % 3 == 0 else 50 + chance.random())

    experiment: Experiment = load_experiment("throughput")
    run = synthetic(
        path,
        ("underlay", "weave"),
        experiment=experiment,
        topology=catalog.topology(experiment.topology),
        values=values,
        verdict=lambda cell, number: bound(number) if spoilt is not None else SampleVerdict(),
        repetitions=9,
    )
    gone = {"outcome": "failed", "collapsed": True, "values": {}, "error": "iperf3: no route"}
    samples = [
        s.model_copy(update=gone) if s.overlay == "weave" and s.bring_up <= collapsed else s
        for s in run.samples
    ]
    (claim,) = [c for c in experiment.claims if "merely half" in c.text]  # type: ignore[attr-defined]
    return claim, replace(run, samples=samples)


def test_an_answer_that_depends_on_which_samples_count_is_none(tmp_path: Path) -> None:
    claim, run = half_of_control(tmp_path / "alike")
    assert claim.answer(run).verdict == REPRODUCED, "those that do not count say the same"
    claim, run = half_of_control(tmp_path / "selected", spoilt=5.0)
    answer = claim.answer(run)
    assert answer.verdict == OPEN
    assert "it depends on which samples count: reproduced by those that do" in answer.text
    assert "not reproduced by all" in answer.text or "cannot be told by all" in answer.text


def test_traffic_that_collapsed_counts_as_nothing_carried(tmp_path: Path) -> None:
    claim, run = half_of_control(tmp_path / "few", spoilt=None, collapsed=3)
    assert claim.answer(run).verdict == OPEN, "the interval is wide now"
    claim, run = half_of_control(tmp_path / "all", spoilt=None, collapsed=9)
    answer = claim.answer(run)
    assert answer.verdict == REFUTED
    assert "weave (test): 0.00 of the underlay's, claimed" in answer.text


def test_a_latency_of_traffic_that_collapsed_cannot_be_told(tmp_path: Path) -> None:
    run = made_up(tmp_path, "mesh", as_in_2016, 0.0005)
    (claim,) = [c for c in load("mesh").claims if "add less than 0.1 ms" in c.text]
    assert claim.answer(run).verdict == REPRODUCED
    gone = {"outcome": "failed", "collapsed": True, "values": {}}
    samples = [
        s.model_copy(update=gone) if (s.overlay, s.bring_up, s.metric) == ("weave", 1, "latency") else s
        for s in run.samples
    ]
    answer = claim.answer(replace(run, samples=samples))
    assert answer.verdict == OPEN
    assert "the traffic of 1 of 5 samples collapsed, which have no figure" in answer.text


def test_the_scorecard_has_every_claim_and_says_which_run_is_missing(tmp_path: Path) -> None:
    run = made_up(tmp_path, "throughput", as_in_2016)
    rows = scorecard(all_claims(), [run, run])
    assert {row.claim.text for row in rows} == {
        claim.text for claims in all_claims().values() for claim in claims
    }
    assert len([row for row in rows if row.run == run.manifest.run]) == 14, "seven claims, two runs"
    absent = next(row for row in rows if "streaming" in row.answer.text)
    assert absent.answer.verdict == OPEN
    assert "no run of streaming; make one with 'lab run streaming'" in absent.answer.text
    drawn = scorecard_table(rows)
    assert drawn.title.startswith("claims: 12 reproduced, 0 not reproduced")
    assert all(len(row) == len(drawn.columns) for section in drawn.sections for row in section.rows)


def test_an_overlay_that_cannot_be_had_is_the_reason(tmp_path: Path) -> None:
    experiment = load_experiment("multihop")
    state = {"state": "not obtainable", "reason": "no router", "remedy": "get one"}
    run = synthetic(tmp_path, ("underlay",), overlays={"underlay": {"state": "ok"}, "weave": state})
    for claim in experiment.claims:
        assert claim.answer(run).verdict == OPEN
        assert "weave: not obtainable here" in claim.answer(run).text
    # and the reason, with the remedy, once
    rows = scorecard({"multihop": experiment.claims}, [run])
    assert str(scorecard_table(rows)).count("no router; get one") == 1
    assert "no router" not in str(scorecard_table(rows, alone=False))
    tables = "\n".join(line for table in result_tables(experiment, run) for line in lines(table))
    assert tables.count("no router; get one") == 1
    assert html.render(run, experiment, []).count("no router; get one") == 1
