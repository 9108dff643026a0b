"""Plug-ins of another distribution: every command knows them, and none of the lab's code names them."""

from __future__ import annotations

import base64
import random
import re
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab import catalog, plugins
from lab.app.request import load_experiment
from lab.cli.main import app
from lab.runs.experiment import Cell
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from overlays import registry
from tests.paths import ROOT
from tests.unit.synthetic import synthetic

PLUGINS = {"topologies": "corner", "overlays": "hub", "experiments": "roundtrip"}


@pytest.fixture(autouse=True)
def installed() -> None:
    """The set-up installs the distribution in the environment of the tests."""
    try:
        metadata.distribution("lab-example")
    except metadata.PackageNotFoundError:
        pytest.fail("tests/thirdparty is not installed in this environment: run 'make venv'")


def lab(*argv: str) -> str:
    done = CliRunner().invoke(app, list(argv))
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def added(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
    """Round trips that are a little above the links'."""
    rtt = topology.rtt(cell.params["from"], cell.params["to"]) + 1 + chance.random() / 10
    return {"mean_ms": rtt, "max_ms": rtt + 1, "lost_percent": 0.0}


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """A run of the experiment on the overlay that was never measured."""
    experiment, topology = load_experiment("roundtrip"), catalog.topology("corner")
    return synthetic(tmp_path, ("hub",), values=added, topology=topology, experiment=experiment)


@pytest.mark.parametrize(("kind", "name"), PLUGINS.items())
def test_each_is_listed_with_what_it_says_of_itself(kind: str, name: str) -> None:
    assert name in plugins.names(kind)
    assert name not in plugins.own_names(kind)
    assert name in lab("list", kind)


def test_the_topology_takes_parameters_and_is_shown() -> None:
    assert [link.rtt for link in catalog.topology("corner:near=5,far=7").links] == [5, 7]
    assert "corner-south 12" in lab("show", "corner")


def test_the_overlay_is_asked_for_with_its_options() -> None:
    overlay = registry.parse("hub:mtu=1300")
    assert overlay.settings["mtu"] == "1300"
    assert overlay.user_space
    assert "obtainable here" in lab("list", "overlays")


def test_the_claim_is_in_the_scorecard_and_the_figure_in_the_report(run: StoredRun) -> None:
    assert "An overlay adds at most 10 ms" in lab("report", "--claims", str(run.path))
    (answer,) = [claim.answer(run) for claim in load_experiment("roundtrip").claims]
    assert answer.verdict == "reproduced"
    experiment = load_experiment("roundtrip")
    figures = experiment.figures(run, run.path / "figures")
    assert {file.name for file in figures} == {f"roundtrip.{form}" for form in ("svg", "pdf", "png", "txt")}
    lab("report", str(run.path))
    page = (run.path / "report.html").read_text()
    assert "Round trip by the number of hops" in page
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert any(b"Round trip by the number of hops" in base64.b64decode(picture) for picture in pictures)


def test_nothing_of_the_lab_names_them() -> None:
    named = re.compile(r"\b(lab_example|hubd|roundtrip)\b|\"(hub|corner)\"")
    folders = ("lab", "overlays", "experiments", "topologies")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert not [str(file) for file in files if named.search(file.read_text())]
