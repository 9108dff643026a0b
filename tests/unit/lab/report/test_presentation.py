"""The contract of an experiment of another distribution: one class, with claims, tables and figures."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, Traffic, tcp
from lab import catalog, plugins
from lab.app.request import all_claims
from lab.measure.iperf3 import parse_tcp
from lab.report import html
from lab.report.charts import Chart, Series
from lab.report.claims import OPEN, REPRODUCED, Band, Claim, against_control, scorecard
from lab.report.presentation import PresentedExperiment
from lab.report.selection import select
from lab.runs.experiment import Experiment
from lab.runs.run_folder import StoredRun
from tests.paths import ROOT
from tests.unit.fakes import FakeExperiment
from tests.unit.synthetic import synthetic


class Foreign(Traffic):
    """TCP in two directions, as somebody else asks for it."""

    name = "foreign"
    summary = "TCP in two colours"
    source = "somebody else"
    topology = "point_to_point"
    overlays = ("underlay", "weave")
    profiles = host_bound({TCP: Times(5, 1)})
    tools = {TCP: tcp()}  # noqa: RUF012
    grid = {"colour": ("red", "blue")}  # noqa: RUF012
    charts = (Chart(name="colours", title="Colours", y_label="Mbit/s", series=(Series("TCP", TCP, "mbps"),)),)
    claims = (
        Claim(
            "Overlays carry half",
            "somebody else",
            "TCP by the control's",
            lambda run: against_control(
                run, Band(0.4, 0.6), lambda name: (name, select(run.samples, name, TCP, "mbps"))
            ),
        ),
    )


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the class as another distribution would: an entry point of the group ``lab.experiments``."""
    module = ModuleType("somebody_else")
    vars(module)["Foreign"] = Foreign
    monkeypatch.setitem(sys.modules, module.__name__, module)
    point = EntryPoint("foreign", "somebody_else:Foreign", "lab.experiments")
    monkeypatch.setattr(plugins, "_registered", lambda kind: [point] if kind == "experiments" else [])


def halves(path: Path) -> StoredRun:
    experiment = Foreign()
    return synthetic(
        path,
        ("underlay", "weave"),
        experiment=experiment,
        topology=catalog.topology("point_to_point"),
        values=lambda cell, _, chance: {"mbps": (50, 100)[cell.overlay == "underlay"] + chance.random()},
    )


@pytest.mark.usefixtures("foreign")
def test_an_experiment_of_another_distribution_is_one_class(tmp_path: Path) -> None:
    # given a class that is found by its name alone
    experiment: PresentedExperiment = plugins.load("experiments", "foreign")()
    run = halves(tmp_path)
    # then its grid has every combination, its profile both lengths, and it parses what it measured
    assert [
        c.params["colour"]
        for c in experiment.cells(catalog.topology("ring"), "weave", experiment.profiles["paper"])
    ] == ["red", "blue"]
    assert [p.seconds[TCP] for p in experiment.profiles.values()] == [1, 120]
    assert experiment.parse.__func__ is Traffic.parse  # type: ignore[attr-defined]
    assert Foreign.tools[TCP].parse is parse_tcp
    # and its table, its figure, its page and its claims come from stored samples
    (table,) = experiment.tables(run)
    assert table.title.startswith("Colours, links of 20 Mbit/s")
    figures = experiment.figures(run, tmp_path / "figures")
    assert {file.name for file in figures} == {f"colours.{form}" for form in ("svg", "pdf", "png", "txt")}
    assert "<strong>reproduced</strong>: Overlays carry half" in html.render(run, experiment, figures[:1])


@pytest.mark.usefixtures("foreign")
def test_the_scorecard_has_the_claims_of_other_distributions(tmp_path: Path) -> None:
    of_run, missing = (
        next(row for row in scorecard(all_claims(), runs) if row.claim in Foreign.claims)
        for runs in ([halves(tmp_path)], [])
    )
    assert (of_run.answer.verdict, missing.answer.verdict) == (REPRODUCED, OPEN)
    assert "no run of foreign; make one with 'lab run foreign'" in missing.answer.text


def test_an_experiment_that_says_nothing_of_its_samples_has_neither_tables_nor_claims(tmp_path: Path) -> None:
    class Silent(FakeExperiment, PresentedExperiment):
        pass

    run = synthetic(tmp_path, ())
    assert (Silent().tables(run), Silent().figures(run, tmp_path), Silent.claims) == ((), (), ())


def test_the_measuring_part_knows_no_report() -> None:
    assert not {"claims", "tables", "figures"} & set(dir(Experiment))


def test_the_report_names_no_plug_in() -> None:
    """Names of the studies' overlays are in `lab.published`, where what they measured is."""
    names = {*plugins.names("overlays"), *plugins.names("experiments")}
    for file in (ROOT / "lab" / "report").glob("*.py"):
        words = {n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)}
        assert not names & words, file.name
