"""All experiments: grids, pages, tables, figures; claims in worlds where the studies are right or wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lab import catalog, plugins
from lab.app.request import load_experiment
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
)
from lab.report.html import render
from lab.runs.experiment import Cell
from lab.runs.sample import Verdict as SampleVerdict
from lab.topology import Topology
from overlays import registry
from tests.paths import ROOT
from tests.unit.experiments.helpers import (
    BUSY,
    IDLE,
    answers,
    as_in_2016,
    facts_of,
    grid,
    made_up,
    upside_down,
)
from tests.unit.synthetic import synthetic

DOCS = ROOT / "docs" / "reference" / "experiments"
NAMES = plugins.own_names("experiments")
#: Those that a lab of hosts is built for; others have a verb of their own.
ON_HOSTS = [name for name in NAMES if not load_experiment(name).verb]
#: One for each question of the studies, and of those that followed.
QUESTIONS = {
    *("baseline", "congestion", "cpu", "datagram", "encryption", "fragmentation", "mesh"),
    *("multihop", "offload", "packetcost", "paths", "streaming", "throughput", "window"),
}


def test_every_question_has_its_experiment() -> None:
    assert set(NAMES) == QUESTIONS


@pytest.mark.parametrize("name", NAMES)
def test_a_grid_has_no_cell_twice_and_all_overlays_exist(name: str) -> None:
    experiment = load_experiment(name)
    keys = [cell.key for overlay in experiment.overlays for cell in grid(experiment, overlay)]
    assert len(keys) == len(set(keys)) > 1
    for overlay in experiment.overlays if name in ON_HOSTS else ():
        assert registry.parse(overlay).name == overlay.split(":")[0]


@pytest.mark.parametrize("name", ON_HOSTS)
def test_both_profiles_say_why_and_paper_is_as_long_as_it_was(name: str) -> None:
    experiment = load_experiment(name)
    quick, paper = experiment.profiles["quick"], experiment.profiles["paper"]
    assert quick.why
    assert paper.why
    assert paper.cpus == 1, "every machine of 2016 had one vCPU"
    minutes = sum(cell.repetitions * cell.duration for cell in grid(experiment)) / 60
    assert minutes < 6, "quick is minutes for each overlay"
    assert min(paper.seconds.values()) >= 120
    assert quick.repetitions.keys() == quick.seconds.keys()
    assert quick.repetitions.keys() <= paper.repetitions.keys()
    assert quick.repetitions.keys() == paper.repetitions.keys() or quick.left_out, "what is left out is said"


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_has_a_page(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    experiment = load_experiment(name)
    assert f"lab {experiment.verb or f'run {name}'}" in page
    for claim in experiment.claims:
        assert claim.text in page, "the page names every claim"


def invented(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
    """A number for every value that some chart or claim asks for: nothing is meant by them."""
    experiment = load_experiment(CURRENT[0])
    names = {series.value for chart in getattr(experiment, "charts", ()) for series in chart.series}
    return {name: 10 + chance.random() for name in names | {"mean_ms", "received_mbps", "sent_mbps"}}


CURRENT = [""]


@pytest.mark.parametrize("name", NAMES)
def test_tables_figures_and_claims_come_from_stored_samples(name: str, tmp_path: Path) -> None:
    # given a run of two overlays with samples in every cell
    CURRENT[0] = name
    experiment = load_experiment(name)
    run = synthetic(
        tmp_path,
        ("underlay", "weave"),
        experiment=experiment,
        topology=catalog.topology(experiment.topology),
        values=invented,
        facts={"mtu": "1376"},
        mode={"mode": "sleeve"},
        overlays={"underlay": {"state": "ok"}, "weave": {"state": "ok"}},
    )
    # then it has tables whose rows are whole, figures in every form, and an answer for every claim
    tables = experiment.tables(run)
    assert any(section.rows for table in tables for section in table.sections)
    for table in tables:
        assert all(len(row) == len(table.columns) for section in table.sections for row in section.rows)
    figures = experiment.figures(run, tmp_path / "figures")
    assert {file.suffix for file in figures} == {".svg", ".pdf", ".png", ".txt"}
    assert all(file.stat().st_size > 1000 for file in figures if file.suffix != ".txt")
    for claim in experiment.claims:
        assert claim.answer(run).text
    assert experiment.summary in render(run, experiment, figures[:1])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_samples_has_no_figures_and_nothing_can_be_told(name: str, tmp_path: Path) -> None:
    experiment = load_experiment(name)
    topology = catalog.topology(experiment.topology)
    run = synthetic(tmp_path, (), experiment=experiment, topology=topology)
    assert experiment.figures(run, tmp_path) == []
    assert {claim.answer(run).verdict for claim in experiment.claims} <= {"cannot be told"}
    assert not any(section.rows for table in experiment.tables(run) for section in table.sections)


NAMED = ("throughput", "offload", "datagram", "cpu", "mesh", "multihop", "baseline")


@pytest.mark.parametrize("name", NAMED)
def test_in_a_world_as_the_studies_say_every_claim_is_reproduced(name: str, tmp_path: Path) -> None:
    spread = 0.0005 if name in ("mesh", "multihop") else 0.005
    run = made_up(tmp_path, name, as_in_2016, spread, facts_of=facts_of, machine=BUSY)
    told = answers(run)
    assert {answer.verdict for answer in told.values()} == {REPRODUCED}, told


@pytest.mark.parametrize("name", NAMED)
def test_in_another_world_they_are_not(name: str, tmp_path: Path) -> None:
    run = made_up(tmp_path, name, upside_down, 0.0005, facts_of=facts_of, machine=IDLE)
    told = answers(run)
    level = "The latency has no variance"
    assert {answer.verdict for text, answer in told.items() if text != level} == {REFUTED}, told


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("few", [{"repetitions": 2}, {"repetitions": 20, "bring_ups": 1}])
def test_of_two_bring_ups_or_of_many_samples_of_one_nothing_can_be_told(
    name: str, few: dict[str, int], tmp_path: Path
) -> None:
    run = made_up(tmp_path, name, as_in_2016, facts_of=facts_of, machine=BUSY, **few)
    told = answers(run)
    assert {answer.verdict for answer in told.values()} == {OPEN}
    assert all("3 are needed" in answer.text for answer in told.values())


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
    for answer in answers(run).values():
        assert answer.verdict == OPEN
        assert "no valid sample" in answer.text
