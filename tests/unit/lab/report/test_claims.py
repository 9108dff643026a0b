"""Claims on runs that were made up to be true, false and undecidable; and the scorecard of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.app.request import all_claims, load_experiment
from lab.measure import ethtool
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Band,
    Check,
    Claim,
    Trending,
    Verdict,
    follow,
    judge,
    scorecard,
)
from lab.report.scoreboard import table
from lab.report.statistics import Estimate
from lab.runs.experiment import Cell, Experiment
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Verdict as SampleVerdict
from lab.topology import Topology
from tests.unit.synthetic import synthetic

MTU = {"underlay": 1500, "libnetwork": 1450, "weave": 1376}
Truth = Callable[[Cell], dict[str, float]]


def made_up(path: Path, name: str, truth: Truth, spread: float = 0.005, **more: Any) -> StoredRun:
    """A run of all cells whose values scatter by `spread` (a share) around what `truth` says."""
    experiment: Experiment = load_experiment(name)
    topology = catalog.topology(experiment.topology)
    if name == "cpu":
        topology = topology.with_cpus(0.25)

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {key: value * (1 + chance.gauss(0, spread)) for key, value in truth(cell).items()}

    overlays = ("underlay", "libnetwork", "weave")
    more = {"repetitions": 5, **more}
    return synthetic(path, overlays, experiment=experiment, topology=topology, values=values, **more)


def answers(run: StoredRun) -> list[Verdict]:
    return [claim.answer(run).verdict for claim in load_experiment(run.manifest.experiment).claims]


def rate(mbps: float) -> dict[str, float]:
    return {"received_mbps": mbps, "sent_mbps": mbps}


def as_in_2016(cell: Cell) -> dict[str, float]:
    """What the studies say, as a world in which it holds."""
    overlay, params = cell.overlay, cell.params
    over = overlay != "underlay"
    hops = params.get("hops", 1)
    if cell.metric in ("latency", "segment"):
        rtts = {("AMS", "PRG"): 21.75, ("PRG", "BRA"): 4.7, ("BRA", "LJU"): 41.58, ("LJU", "MIL"): 52.57}
        sums = [21.75, 26.45, 68.03, 120.6, 161.23]
        base = rtts.get((params["from"], params["to"]), 40.63) if cell.metric == "segment" else sums[hops - 1]
        return {"mean_ms": base + (0.05 if over else 0)}
    if "stress" in params:
        return rate(100 - params["stress"] * 0.5)
    if "offload" in params and "fragments" not in params:
        without = 70.0 if over else 100.0
        return rate(without * 2 if params["offload"] == "on" and over else without)
    if "size" in params:
        fits = params["size"] <= ethtool.payload(MTU[overlay])
        return rate(params["size"] / 10 * (1 if fits else 0.63))
    if "hops" in params:
        return rate(100.0 * 0.97 ** (hops - 1) if cell.metric == "udp" else (100, 50, 48, 46, 44)[hops - 1])
    udp = (50.0 if over else 100.0) * (1.3 if cell.metric == "udp" else 1)
    return rate(udp if cell.metric.startswith("udp") else 120.0 if over else 100.0)


def upside_down(cell: Cell) -> dict[str, float]:
    """A world in which the studies are wrong."""
    found, params = as_in_2016(cell), cell.params
    if cell.metric in ("latency", "segment"):
        return {"mean_ms": found["mean_ms"] + (5.0 if cell.overlay != "underlay" else 0)}
    if "stress" in params:
        return rate(50 + params["stress"] * 0.5)
    if "size" in params:
        fits = params["size"] <= ethtool.payload(MTU["weave"])
        return rate((3000 - params["size"]) / 10 * (1 if fits else 0.4))
    if "hops" in params:
        return rate((100, 95, 20, 15, 10)[params["hops"] - 1])
    return rate(10000 / found["received_mbps"])


def facts_of(cell: Cell) -> dict[str, str]:
    return {"mtu": str(MTU[cell.overlay])}


def sender(*cpus: float) -> dict[str, Any]:
    """What the machine's record has of the sending host's CPU over time."""
    return {"timeline": {"at_s": [0.5, 1.0, 1.5], "hosts": {"AMS": list(cpus), "BRA": [0.01] * 3}}}


BUSY, IDLE = sender(0.02, 0.25, 0.24), sender(0.02, 0.1, 0.1)


NAMED = ("throughput", "offload", "datagram", "cpu", "mesh", "multihop")


@pytest.mark.parametrize("name", NAMED)
def test_in_a_world_as_the_studies_say_every_claim_is_reproduced(name: str, tmp_path: Path) -> None:
    spread = 0.0005 if name in ("mesh", "multihop") else 0.005
    run = made_up(tmp_path, name, as_in_2016, spread, facts_of=facts_of, machine=BUSY)
    claims = load_experiment(name).claims
    told = [(claim.text, claim.answer(run).verdict, claim.answer(run).text) for claim in claims]
    assert {verdict for _, verdict, _ in told} == {REPRODUCED}, told


@pytest.mark.parametrize("name", NAMED)
def test_in_another_world_they_are_not(name: str, tmp_path: Path) -> None:
    run = made_up(tmp_path, name, upside_down, 0.0005, facts_of=facts_of, machine=IDLE)
    verdicts = dict(zip([c.text for c in load_experiment(name).claims], answers(run), strict=True))
    level = "The latency has no variance"
    assert {v for text, v in verdicts.items() if text != level} == {REFUTED}, verdicts


@pytest.mark.parametrize("name", NAMED)
def test_of_two_samples_a_cell_nothing_can_be_told_but_trends(name: str, tmp_path: Path) -> None:
    run = made_up(tmp_path, name, as_in_2016, repetitions=2, facts_of=facts_of, machine=BUSY)
    for claim in load_experiment(name).claims:
        answer = claim.answer(run)
        assert answer.verdict == (REPRODUCED if "tau" in answer.text else OPEN)


@pytest.mark.parametrize("name", NAMED)
def test_samples_that_the_emulator_limited_decide_nothing(name: str, tmp_path: Path) -> None:
    run = made_up(
        tmp_path,
        name,
        as_in_2016,
        facts_of=facts_of,
        machine=BUSY,
        verdict=lambda cell, repetition: SampleVerdict(state="emulator-bound", reasons=["CPU"]),
    )
    for claim in load_experiment(name).claims:
        answer = claim.answer(run)
        assert answer.verdict == OPEN
        assert "no valid sample" in answer.text


JITTER = (
    ("at most 2 ms", "below the 30 ms", "one and with three"),
    {
        0.4: (REPRODUCED, REPRODUCED, REPRODUCED),
        10.0: (REFUTED, REPRODUCED, REFUTED),
        50.0: (REFUTED, REFUTED, REFUTED),
    },
)


def about(run: StoredRun, words: str) -> Verdict:
    """The answer of the claim that has these words in its text."""
    (claim,) = [c for c in load_experiment(run.manifest.experiment).claims if words in c.text]
    return claim.answer(run).verdict


def streams(cell: Cell, jitter: float, extra: float = 0.0, slower: float = 0.3) -> dict[str, float]:
    """What every site gets: the same jitter, `extra` of it on overlays, and less for each of many clients."""
    more = extra if cell.overlay != "underlay" else 0
    kbps = 950.0 * (slower if cell.params.get("workers") == 9 else 1)
    sites = ("AMS", "MIL", "LJU")
    return {"mean_ms": 1.0} | {
        f"{key} {site}": value
        for site in sites
        for key, value in (("jitter_ms", jitter + more), ("mean_kbps", kbps))
    }


@pytest.mark.parametrize("jitter", JITTER[1])
def test_jitter_against_every_limit(jitter: float, tmp_path: Path) -> None:
    run = made_up(tmp_path, "streaming", lambda cell: streams(cell, jitter))
    assert tuple(about(run, words) for words in JITTER[0]) == JITTER[1][jitter]


def test_streams_of_overlays_beside_the_machines_and_of_many_beside_one(tmp_path: Path) -> None:
    alike = made_up(tmp_path / "a", "streaming", lambda cell: streams(cell, 2.0, 0.1))
    apart = made_up(tmp_path / "b", "streaming", lambda cell: streams(cell, 2.0, 3.0, slower=1.2))
    unsure = made_up(tmp_path / "c", "streaming", lambda cell: streams(cell, 2.0, 0.55, 1.0), spread=0.05)
    told = [[about(run, w) for w in ("does not differ", "bit rate")] for run in (alike, apart, unsure)]
    assert told == [[REPRODUCED] * 2, [REFUTED] * 2, [OPEN] * 2]


@pytest.mark.parametrize(
    ("share", "verdicts"),
    [(0.7, (REPRODUCED, REPRODUCED)), (1.2, (REFUTED, REFUTED)), (0.8, (OPEN, REPRODUCED))],
)
def test_what_encapsulation_costs_udp(share: float, verdicts: tuple[Verdict, ...], tmp_path: Path) -> None:
    def carried(cell: Cell) -> dict[str, float]:
        return rate(100 * (share if cell.overlay != "underlay" else 1))

    run = made_up(tmp_path, "fragmentation", carried, spread=0.02)
    assert (about(run, "encapsulation costs"), about(run, "Even with offload")) == verdicts


@pytest.mark.parametrize("gone", [True, False])
def test_what_needs_ufo_cannot_be_told_without(gone: bool, tmp_path: Path) -> None:
    facts = {"ufo": ethtool.NO_UFO} if gone else {}
    run = made_up(tmp_path, "fragmentation", lambda cell: rate(50), facts=facts)
    assert about(run, "Even with offload") == OPEN
    (claim,) = [c for c in load_experiment("fragmentation").claims if "Even with offload" in c.text]
    assert ("gone from Linux since 4.14" in claim.answer(run).text) == gone


def test_a_host_that_may_use_every_cpu_has_none_to_use_up(tmp_path: Path) -> None:
    run = made_up(tmp_path, "cpu", as_in_2016, machine=BUSY)
    run.manifest.topology.update(catalog.topology("point_to_point").to_dict())
    (claim,) = [c for c in load_experiment("cpu").claims if "CPU of the sending host" in c.text]
    assert claim.answer(run).verdict == OPEN
    assert "may use all CPUs of this machine" in claim.answer(run).text


def test_mtus_that_no_size_lies_between_tell_nothing_of_a_later_drop(tmp_path: Path) -> None:
    """1500 bytes of data fit into neither 1450 nor 1500 bytes: both drop from 1400 on."""
    run = made_up(tmp_path, "datagram", as_in_2016, facts_of=facts_of)
    assert about(run, "comes later") == REPRODUCED
    both = replace(run, samples=[s for s in run.samples if s.overlay != "weave"])
    assert about(both, "about 30 %") == REPRODUCED
    assert about(both, "comes later") == OPEN


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


def test_one_fall_back_to_sleeve_is_enough_and_none_proves_nothing(tmp_path: Path) -> None:
    run = made_up(tmp_path, "congestion", lambda cell: rate(10) | {"retransmits": 1.0})
    fast = [s.model_copy(update={"overlay": "weave:mode=fastdp"}) for s in run.samples]
    said = ["mode went from fastdp to sleeve during the sample"]
    fallen = [s.model_copy(update={"changed": said}) if s.params["hops"] == 3 else s for s in fast]
    assert about(run, "fall back to sleeve") == OPEN
    assert about(replace(run, samples=fast), "fall back to sleeve") == OPEN
    assert about(replace(run, samples=fallen), "fall back to sleeve") == REPRODUCED


def test_offload_of_fragments_cannot_be_told_where_linux_has_none(tmp_path: Path) -> None:
    def growing(cell: Cell) -> dict[str, float]:
        gain = 1 + 0.1 * cell.params["fragments"] if cell.params["offload"] == "on" else 1
        return rate(50 * gain)

    gone = made_up(tmp_path / "a", "fragmentation", growing, facts={"ufo": ethtool.NO_UFO})
    claim = next(c for c in load_experiment("fragmentation").claims if c.text.startswith("Offload lifts"))
    assert claim.answer(gone).verdict == OPEN
    assert "gone from Linux since 4.14" in claim.answer(gone).text
    # where a kernel has it, the samples tell
    assert claim.answer(made_up(tmp_path / "b", "fragmentation", growing)).verdict == REPRODUCED


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
    claim = Claim("c", "s", "x", "m", lambda run: checks)
    claim.answer(None)  # type: ignore[arg-type]
    assert asked == pytest.approx([0.99] * 5)


def test_trends_of_chance_are_rarely_taken_for_trends() -> None:
    chance = random.Random(5)
    wrong = 0
    for _ in range(200):
        places = [float(n) for n in range(6) for _ in range(3)]
        rows = [Trending("r", places, [chance.random() for _ in places]) for _ in range(3)]
        wrong += any(finding.verdict != OPEN for finding in follow(rows, rising=True))
    assert wrong <= 0.05 * 200 + 5


def test_the_scorecard_has_every_claim_and_says_which_run_is_missing(tmp_path: Path) -> None:
    run = made_up(tmp_path, "throughput", as_in_2016)
    lines = scorecard(all_claims(), [run, run])
    assert {line.claim.text for line in lines} == {claim.text for claim in all_claims()}
    assert len([line for line in lines if line.run == run.manifest.run]) == 8, "four claims, two runs"
    absent = next(line for line in lines if line.claim.experiment == "streaming")
    assert absent.answer.verdict == OPEN
    assert "no run of streaming; make one with 'emulate streaming'" in absent.answer.text
    drawn = table(lines)
    assert drawn.title.startswith("scorecard: 8 reproduced, 0 not reproduced")
    assert all(len(row) == len(drawn.columns) for section in drawn.sections for row in section.rows)


def test_an_overlay_that_cannot_be_had_is_the_reason(tmp_path: Path) -> None:
    experiment = load_experiment("multihop")
    state = {"state": "not obtainable", "reason": "no router", "remedy": "get one"}
    run = synthetic(tmp_path, ("underlay",), overlays={"underlay": {"state": "ok"}, "weave": state})
    for claim in experiment.claims:
        assert claim.answer(run).verdict == OPEN
        assert "weave: not obtainable here: no router" in claim.answer(run).text


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
    experiment = load_experiment("congestion")
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
