"""Every experiment's quick profile, shrunk to seconds, on real links and real overlays.

One lab of three hosts in a ring. Experiments that are special run from their cells to their page on an
overlay. The others measure a cell of each of their metrics on the underlay; on overlays those whose measuring
touches the overlay's own device or its circuits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab import catalog, plugins
from lab.app.request import load_experiment
from lab.emulation.emulation import Emulation
from lab.hosts.host import Endpoint
from lab.report.export import reparsed
from lab.report.html import render
from lab.runs.experiment import Cell, Experiment
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.run_folder import RunFolder, read
from lab.runs.run_folder_check import faults
from lab.runs.runner import run_experiment
from lab.runs.target import RunTarget
from overlays.registry import parse

pytestmark = pytest.mark.timed

T = TypeVar("T")
#: High enough that the fragments of a datagram arrive together when 1000 Mbit/s are offered.
RATE = 1000.0
TOPOLOGY = catalog.topology("ring:sites=AMS+BRA+MIL", rate=RATE)
#: What of a grid is measured, where not the first cell of each metric is.
CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "cpu": {"stress": 60},
    "datagram": {"size": 1500},
    "fragmentation": {"fragments": 3, "offload": "off"},
    "offload": {"offload": "off"},
    "window": {"window": 64000},
    "congestion": {"control": "cubic", "hops": 1},
    "streaming": {"workers": 3},
}
#: The others are measured in a machine of their own.
EVERYWHERE = tuple(n for n in plugins.own_names("experiments") if not load_experiment(n).verb)
#: Experiments with cells, tools or pages of their own; what the others share is in these, too.
OF_THEIR_OWN = ("multihop", "paths", "cpu", "streaming", "mesh", "fragmentation")
#: What is measured on the underlay: the others, and what is about its static routes.
ON_UNDERLAY = (*(name for name in EVERYWHERE if name not in OF_THEIR_OWN), "paths")
#: Where each experiment runs as a whole: every overlay has some. Where one cannot be had, tinc has it.
ON_OVERLAY: Mapping[str, str] = {
    "multihop": "weave",
    "baseline": "flannel",
    "offload": "weave",
    "congestion": "weave:mode=sleeve",
    "encryption": "weave:encryption=on",
    "mesh": "libnetwork",
    "datagram": "libnetwork",
    "streaming": "libnetwork",
    "throughput": "flannel",
    "fragmentation": "flannel",
    "window": "flannel",
    "cpu": "tinc",
    "paths": "tinc",
}
ON_OVERLAYS = ("offload", "fragmentation", "streaming")


@dataclass
class Up:
    """An overlay that is up in the lab."""

    loop: asyncio.Runner
    lab: Emulation
    name: str
    endpoints: dict[str, Endpoint]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def lab(loop: asyncio.Runner, docker_daemon: None) -> Iterator[Emulation]:
    emulation = Emulation(TOPOLOGY)
    loop.run(emulation.up())
    yield emulation
    loop.run(emulation.down())


@pytest.fixture(scope="module")
def up(request: pytest.FixtureRequest, loop: asyncio.Runner, lab: Emulation) -> Iterator[Up]:
    overlay = parse(request.param)
    if missing := overlay.obtainable():
        pytest.skip(f"{missing.what}; {missing.remedy}")

    async def bring_up() -> dict[str, Endpoint]:
        await overlay.install(tuple(lab.hosts.values()), TOPOLOGY)
        await overlay.ready(60)
        found = await asyncio.gather(*(overlay.attach(host) for host in lab.hosts.values()))
        return dict(zip(lab.hosts, found, strict=True))

    yield Up(loop, lab, request.param, loop.run(bring_up()))
    loop.run(overlay.uninstall())


def shrunk(experiment: Experiment, overlay: str) -> list[Cell]:
    """One cell of every metric, a second long."""
    wanted = CHOSEN.get(experiment.name, {})
    found: dict[str, Cell] = {}
    for cell in experiment.cells(TOPOLOGY, overlay, experiment.profiles["quick"]):
        if all(cell.params.get(key, value) == value for key, value in wanted.items()):
            found.setdefault(cell.metric, replace(cell, seconds=1, warmup=0))
    return list(found.values())


@pytest.mark.parametrize("up", ["underlay"], indirect=True)
@pytest.mark.parametrize("name", ON_UNDERLAY)
def test_every_metric_is_measured_and_parsed_again_to_the_same(up: Up, name: str) -> None:
    measured(up, name)


@pytest.mark.parametrize("up", ["libnetwork", "weave"], indirect=True)
@pytest.mark.parametrize("name", ON_OVERLAYS)
def test_so_is_what_touches_an_overlays_own_device(up: Up, name: str) -> None:
    measured(up, name)


def measured(up: Up, name: str) -> None:
    """One cell of every metric, held against what it was parsed from and what is possible."""
    experiment = load_experiment(name)
    up.do(experiment.prepare(up.endpoints))
    for cell in shrunk(experiment, up.name):
        reading = up.do(experiment.measure(cell, up.endpoints))
        assert dict(experiment.parse(cell.metric, reading.raw)) == reading.values
        plausible(cell, reading.values, reading.facts)


def plausible(cell: Cell, values: Mapping[str, float], facts: Mapping[str, str]) -> None:
    """What no measurement over these links can be outside of."""
    if "received_mbps" in values:
        assert values["received_mbps"] < RATE * 1.05, cell.key
        # daemons that relay may lose all of the datagrams that they are offered here
        loses = cell.metric == "udp" and parse(cell.overlay).hops == "overlay"
        assert values["received_mbps"] > 0 or loses, cell.key
    if "mean_ms" in values:
        direct = TOPOLOGY.link(cell.params["from"], cell.params["to"]).rtt
        assert TOPOLOGY.rtt(cell.params["from"], cell.params["to"]) < values["mean_ms"] < direct + 30, (
            cell.key
        )
    if "offload" in cell.params:
        assert facts["offload"] == cell.params["offload"]
    assert values.get("datagram_bytes") == cell.params.get("size", values.get("datagram_bytes"))
    if "fragments" in cell.params:
        assert values["datagram_bytes"] > 2 * (int(facts["mtu"]) - 28)
    if "control" in cell.params:
        assert facts["sender_tcp_congestion"] == cell.params["control"]
    if cell.metric == "failure":
        assert values["dark_s"] > 0.9 or values["around"] == 1
        assert cell.overlay != "underlay" or values["around"] == 0, "its routes are static"
    if cell.metric == "stream":
        assert values["jitter_ms"] > 0


def _direct(a: str, b: str) -> float:
    """The round trip (ms) of the link between two hosts: in a ring of three there is one."""
    return TOPOLOGY.link(a, b).rtt


@pytest.mark.parametrize("name", OF_THEIR_OWN)
def test_an_experiment_runs_from_its_cells_to_its_page_on_an_overlay(
    name: str, loop: asyncio.Runner, lab: Emulation, tmp_path: Path
) -> None:
    # given the quick profile, shrunk to a sample of a second in a cell of each metric
    experiment = load_experiment(name)
    text = ON_OVERLAY[name] if parse(ON_OVERLAY[name]).obtainable() is None else "tinc"
    quick = experiment.profiles["quick"]
    once, second = dict.fromkeys(quick.repetitions, 1), dict.fromkeys(quick.seconds, 1.0)
    profile = replace(quick, repetitions=once, seconds=second, warmup={}, rate=RATE, cpus=None)
    manifest = Manifest(
        run="1nte9r",
        experiment=name,
        created="2030-01-02T03:04:05+00:00",
        topology=TOPOLOGY.to_dict(),
        profile=asdict(profile),
        only=[cell.key for cell in shrunk(experiment, text)],
        rate=RATE,
        overlays={text: OverlayState()},
    )
    # when the engine brings the overlay up, warms up, measures, and takes it away
    with RunFolder.create(tmp_path, manifest) as folder:
        hosts = RunTarget(TOPOLOGY, lab.hosts)
        outcome = loop.run(run_experiment(experiment, hosts, {text: parse(text)}, profile, folder))
        if outcome.status:  # what other work on the machine spoilt is measured when the run goes on
            outcome = loop.run(run_experiment(experiment, hosts, {text: parse(text)}, profile, folder))
    run = read(folder.path)
    assert outcome.status == 0, [sample.error for sample in run.samples]
    # then every sample is there, with the overlay's mode, and comes out of its raw output again
    assert faults(run, experiment) == []
    assert all(sample.mode["mode"] for sample in run.samples)
    cells = {cell.key: cell for cell in shrunk(experiment, text)}
    for sample in run.samples:
        if sample.ok:
            plausible(cells[sample.cell], sample.values, sample.facts)
    assert [said for _, said in reparsed(run, experiment) if said] == []
    # and figures, claims and page are made of what is stored
    figures: Sequence[Path] = experiment.figures(run, tmp_path / "figures")
    assert figures
    assert all(claim.answer(run).text for claim in experiment.claims)
    assert experiment.summary in render(run, experiment, [f for f in figures if f.suffix == ".svg"])
