"""Grids, recorded outputs, and worlds in which the studies are right or wrong, for experiments' tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import catalog, plugins
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.report.claims import Answer, Verdict
from lab.report.presentation import PresentedExperiment
from lab.runs.experiment import Cell, Experiment
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from tests.paths import FIXTURES
from tests.unit.fakes import FakeHost
from tests.unit.synthetic import synthetic


def grid(experiment: Experiment, overlay: str = "weave") -> list[Cell]:
    topology = catalog.topology(experiment.topology)
    return list(experiment.cells(topology, overlay, experiment.profiles["quick"]))


def text(name: str) -> str:
    return (FIXTURES / name).read_text()


def endpoints(topology: Topology, answers: Mapping[str, str]) -> dict[str, Endpoint]:
    """Endpoints that answer a program's name with a recording, and anything else with nothing."""

    def answer(argv: Sequence[str]) -> tuple[int, str]:
        for word, said in answers.items():
            if word in argv:
                return (124 if word == "stress-ng" else 0), said
        return 0, ""

    return {
        host.name: Endpoint(FakeHost(host.name, answer), "c", f"192.0.2.{n}")  # type: ignore[arg-type]
        for n, host in enumerate(topology.hosts, 1)
    }


def load(name: str) -> PresentedExperiment:
    found: PresentedExperiment = plugins.load("experiments", name)()
    return found


MTU = {"underlay": 1500, "libnetwork": 1450, "weave": 1376}


Truth = Callable[[Cell], dict[str, float]]


def made_up(path: Path, name: str, truth: Truth, spread: float = 0.005, **more: Any) -> StoredRun:
    """A run of all cells whose values scatter by `spread` (a share) around what `truth` says."""
    experiment: Experiment = load(name)
    topology = catalog.topology(experiment.topology)
    if name == "cpu":
        topology = topology.with_cpus(0.25)

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {key: value * (1 + chance.gauss(0, spread)) for key, value in truth(cell).items()}

    overlays = ("underlay", "libnetwork", "weave")
    more = {"repetitions": 5, "rate": 1000.0, **more}
    return synthetic(path, overlays, experiment=experiment, topology=topology, values=values, **more)


def answers(run: StoredRun) -> dict[str, Answer]:
    """The answers of all claims of the studies that something measures, by their texts."""
    theirs = [claim for claim in load(run.manifest.experiment).claims if not claim.source.startswith("ours")]
    found = {claim.text: claim.answer(run) for claim in theirs}
    return {text: answer for text, answer in found.items() if not answer.text.startswith("not measured here")}


def rate(mbps: float) -> dict[str, float]:
    return {"received_mbps": mbps, "sent_mbps": mbps}


def as_in_2016(cell: Cell) -> dict[str, float]:
    """What the studies say, as a world in which it holds."""
    overlay, params = cell.overlay, cell.params
    over = overlay != "underlay"
    hops = params.get("hops", 1)
    if cell.metric in ("day", "jitter"):
        return {"mean_ms": 30.0, "apart_ms": 0.05, "jitter_ms": 0.2}
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
        fits = params["size"] <= ethtool.udp_payload(MTU[overlay])
        return rate(params["size"] / 10 * (1 if fits else 0.63))
    if "hops" in params:
        return rate(100.0 * 0.97 ** (hops - 1) if cell.metric == "udp" else (100, 50, 48, 46, 44)[hops - 1])
    udp = (65.0 if over else 130.0) * (1.3 if cell.metric == "udp" else 1)
    return rate(udp if cell.metric.startswith("udp") else 120.0 if over else 100.0)


def upside_down(cell: Cell) -> dict[str, float]:
    """A world in which the studies are wrong."""
    found, params = as_in_2016(cell), cell.params
    if cell.metric in ("day", "jitter"):
        return {"mean_ms": 30.0, "apart_ms": 3.0, "jitter_ms": 0.2 if cell.overlay == "underlay" else 2.0}
    if cell.metric in ("latency", "segment"):
        more = {"underlay": 0.0, "libnetwork": 2.5}.get(cell.overlay, 5.0)
        return {"mean_ms": found["mean_ms"] + more * params.get("hops", 1)}
    if "stress" in params:
        return rate(50 + params["stress"] * 0.5)
    if "size" in params:
        fits = params["size"] <= ethtool.udp_payload(MTU["weave"])
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


def about(run: StoredRun, words: str) -> Verdict:
    """The answer of the claim that has these words in its text."""
    (claim,) = [c for c in load(run.manifest.experiment).claims if words in c.text]
    return claim.answer(run).verdict
