"""Runs that were never measured, for tests of tables, figures and claims."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

from experiments.multihop.experiment import Multihop
from experiments.throughput import Throughput
from lab import catalog
from lab.runs.experiment import Cell, Experiment, Profile
from lab.runs.manifest import Manifest, OverlayState, RunSession
from lab.runs.run_folder import RunFolder, StoredRun
from lab.runs.sample import Sample, Verdict
from lab.topology import Topology
from overlays.registry import load
from tests.paths import FIXTURES
from topologies.linear import topology as linear

Values = Callable[[Cell, Topology, random.Random], dict[str, float]]


def plausible(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
    """Figures of the right size: nothing more is meant by them."""
    hops = cell.params["hops"]
    if cell.metric in ("latency", "segment"):
        rtt = topology.rtt(cell.params["from"], cell.params["to"])
        return {"mean_ms": rtt + 0.1 * hops + chance.gauss(0, 0.05), "min_ms": rtt}
    if cell.metric == "tcp":
        return {"sent_mbps": 19.0, "received_mbps": max(18.5 - 2 * hops + chance.gauss(0, 0.5), 1.0)}
    return {"sent_mbps": 640.0, "received_mbps": 19.2 - 0.1 * hops + chance.gauss(0, 0.1)}


def synthetic(
    path: Path,
    measured: tuple[str, ...] = ("underlay", "weave"),
    *,
    values: Values = plausible,
    verdict: Callable[[Cell, int], Verdict] = lambda cell, repetition: Verdict(),
    topology: Topology | None = None,
    experiment: Experiment | None = None,
    repetitions: int | None = None,
    bring_ups: int | None = None,
    mode: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
    facts_of: Callable[[Cell], Mapping[str, str]] | None = None,
    machine: Mapping[str, Any] | None = None,
    profile: Profile | None = None,
    **more: Any,
) -> StoredRun:
    """Write a run folder below `path` and return what it holds; `profile` is ``quick`` if none is given.

    With `repetitions`, every one of so many samples of a cell has a bring-up of its own, if `bring_ups`
    does not say how many there are, each with so many samples.
    """
    topology = topology or linear(rate=20)
    experiment = experiment or Multihop()
    profile = profile or experiment.profiles["quick"]
    if bring_ups is None:
        bring_ups, repetitions = (repetitions, 1) if repetitions else (profile.bring_ups, None)
    profile = replace(profile, bring_ups=bring_ups)
    if repetitions is not None:
        profile = replace(profile, repetitions=dict.fromkeys(profile.repetitions, repetitions))
    known: dict[str, Any] = {
        "run": "5ynth1",
        "experiment": experiment.name,
        "created": "2030-01-02T03:04:05+00:00",
        "topology": topology.to_dict(),
        "profile": asdict(profile),
        "bring_ups": bring_ups,
        "shaper": "wire",
        "rate": 20.0,
        "seed": 7,
        "overlays": {
            name: OverlayState(
                state="ok", mode=dict(mode or {"mode": "test"}), hops=load(name.partition(":")[0]).hops
            )
            for name in measured
        },
        "environment": {"kernel": "6.1"},
        "sessions": [RunSession(started="now", command=["/x/lab/__main__.py", "emulate", "multihop"])],
        "complete": True,
    }
    chance = random.Random(1)
    with RunFolder.create(path, Manifest(**{**known, **more})) as folder:
        for overlay, bring_up in product(measured, range(1, bring_ups + 1)):
            for cell in experiment.cells(topology, overlay, profile):
                for repetition in range(1, cell.repetitions + 1):
                    number = (bring_up - 1) * cell.repetitions + repetition
                    sample = _sample(cell, number, values(cell, topology, chance), verdict)
                    read = {
                        "repetition": repetition,
                        "bring_up": bring_up,
                        "mode": dict(mode or sample.mode),
                        "facts": dict(facts_of(cell) if facts_of else facts or {}),
                        "machine": dict(machine or {}),
                    }
                    folder.append(sample.model_copy(update=read), "raw")
        return folder.run


def _sample(
    cell: Cell, repetition: int, values: dict[str, float], verdict: Callable[[Cell, int], Verdict]
) -> Sample:
    return Sample(
        run="5ynth1",
        cell=cell.key,
        overlay=cell.overlay,
        metric=cell.metric,
        params=dict(cell.params),
        repetition=repetition,
        started="2030-01-02T03:04:05.000+00:00",
        seconds=1.0,
        outcome="ok",
        values=values,
        mode={"mode": "test"},
        verdict=verdict(cell, repetition),
        congestion_control="bbr" if cell.metric == "tcp" else None,
    )


def throughput_run(path: Path, carried: float, **more: object) -> StoredRun:
    """A run of throughput on two overlays that carry the same (Mbit/s)."""

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {"received_mbps": carried + chance.gauss(0, 0.1)}

    make: Callable[..., StoredRun] = synthetic
    topology = catalog.topology("point_to_point")
    return make(
        path, ("underlay", "weave"), experiment=Throughput(), topology=topology, values=values, **more
    )


def carrying(path: Path, share: float, spread: float = 0.5, run: str = "mine01", **more: Any) -> StoredRun:
    """A run of throughput in which Weave carries this share of the control's 100 Mbit/s."""

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        mean = 100 * (share if cell.overlay == "weave" else 1)
        return {"received_mbps": mean + chance.gauss(0, spread)}

    known = {"topology": catalog.topology("point_to_point"), "mode": {"mode": "fastdp"}, "run": run}
    return synthetic(path, experiment=Throughput(), values=values, **known, **more)


#: A real report of iperf3 for each metric of throughput.
REPORTS = {"tcp": "tcp.json", "udp": "udp-8192.json", "udp1470": "udp-1470.json"}


def recorded_run(path: Path) -> Path:
    """Write a whole run of throughput whose raw files are real reports of iperf3, and its values theirs."""
    experiment, topology = Throughput(), catalog.topology("point_to_point")
    empty = synthetic(path, (), experiment=experiment, topology=topology)
    with RunFolder.resume(empty.path) as folder:
        folder.manifest.overlays["underlay"] = OverlayState(state="ok")
        folder.save()
        for cell in experiment.cells(topology, "underlay", experiment.profiles["quick"]):
            raw = (FIXTURES / "iperf3" / REPORTS[cell.metric]).read_text()
            values = dict(experiment.parse(cell.metric, raw))
            numbers = product(range(1, cell.repetitions + 1), range(1, empty.manifest.bring_ups + 1))
            for repetition, bring_up in numbers:
                sample = _sample(cell, repetition, values, lambda cell, repetition: Verdict())
                plain = {"mode": {}, "congestion_control": None, "bring_up": bring_up}
                folder.append(sample.model_copy(update=plain), raw)
    return empty.path
