"""Bring-up of one overlay: the same steps before a run, before a trial, and on a lab that stays up.

The steps: install, wait until ready, attach endpoints, send a packet between every two of them. If an
experiment follows: its preparation and a warm-up. So every measurement finds the network in the same state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import combinations
from time import monotonic

from lab.errors import HostError, LabError, MeasureError, OverlayError, TopologyError
from lab.events import Emit, Note, step
from lab.hosts.host import Endpoint, Host
from lab.measure.reachability import every_pair
from lab.runs.experiment import WARM_UP, Cell, Experiment
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import Overlay

#: How long an overlay may take until it says that all hosts reach each other (s).
READY = 120.0
#: The phases of a bring-up, in their order.
INSTALL, BECOME_READY, ATTACH = "install", "ready", "endpoints"
REACH = "a packet between every pair of endpoints"


@dataclass(frozen=True)
class Phases:
    """The phases of one overlay, each reported as a step; `timing` has the total time (s) of each by name."""

    overlay: str
    emit: Emit
    timing: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Report begin and end of a phase, and add its time to `timing` even if the phase fails."""
        start = monotonic()
        try:
            with step(self.emit, f"{self.overlay}: {phase}"):
                yield
        finally:
            self.timing[phase] = round(self.timing.get(phase, 0.0) + monotonic() - start, 3)

    def bringing_up(self) -> float:
        """Return the time (s) of all bring-ups so far."""
        return sum(self.timing.get(phase, 0.0) for phase in (INSTALL, BECOME_READY, ATTACH, REACH))


async def bring_up(
    overlay: Overlay,
    hosts: Mapping[str, Host],
    topology: Topology,
    phases: Phases,
    experiment: Experiment | None = None,
    cells: Sequence[Cell] = (),
) -> dict[str, Endpoint]:
    """Put an overlay on hosts, with an endpoint on each, and return the endpoints by host.

    Args:
        overlay: the overlay to install.
        hosts: the hosts by name.
        topology: the network of these hosts.
        phases: reports every step.
        experiment: the experiment that follows; None for a lab to work in.
        cells: the cells that it is going to measure: each of their metrics is warmed up.

    Raises:
        LabError: the overlay did not come up; it is still on the hosts (see `roll_back`).
    """
    with phases(INSTALL):
        await overlay.install(tuple(hosts.values()), topology)
    with phases(BECOME_READY):
        await overlay.ready(READY)
    endpoints = await attach(overlay, hosts, topology, phases)
    if experiment is not None:
        with phases("preparation"):
            await experiment.prepare(endpoints)
        if short := warm_up_cells(experiment, cells):
            with phases(WARM_UP):
                await _warm_up(experiment, short, endpoints, phases.emit)
    return endpoints


async def attach(
    overlay: Overlay,
    hosts: Mapping[str, Host],
    topology: Topology,
    phases: Phases,
    known: Mapping[str, Endpoint] | None = None,
) -> dict[str, Endpoint]:
    """Attach an endpoint on each host; return these and the `known` ones once all reach each other.

    Raises:
        LabError: an endpoint did not come up, or no packet passed between two of them.
    """
    with phases(ATTACH):
        attached = await together(overlay.attach(host) for host in hosts.values())
    endpoints = {**(known or {}), **dict(zip(hosts, attached, strict=True))}
    with phases(REACH):
        await reach_each_other(overlay, endpoints, topology)
    return endpoints


async def reach_each_other(overlay: Overlay, endpoints: Mapping[str, Endpoint], topology: Topology) -> None:
    """Return once a packet has passed between every pair of endpoints that the topology connects.

    Raises:
        OverlayError: two of them stay silent.
    """
    await every_pair(endpoints, pairs(endpoints, topology), refresh=overlay.refresh)


def pairs(hosts: Iterable[str], topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield the pairs of hosts that the topology connects; it may have parts that are not connected."""
    for a, b in combinations(hosts, 2):
        with suppress(TopologyError):
            topology.path(a, b)
            yield a, b


def warm_up_cells(experiment: Experiment, wanted: Iterable[Cell]) -> list[Cell]:
    """Return one short cell per metric to be measured, without cells that disturb the overlay."""
    found: dict[str, Cell] = {}
    for cell in wanted if experiment.warm_up else ():
        if not cell.disturbs:
            short = replace(cell, seconds=experiment.warm_up, warmup=0.0, repetitions=1)
            found.setdefault(cell.metric, short)
    return list(found.values())


async def _warm_up(
    experiment: Experiment, short: Sequence[Cell], endpoints: Mapping[str, Endpoint], emit: Emit
) -> None:
    """Measure these cells once and discard the values; a failure is only reported, as it is no sample.

    The first packets of a path are slower than later ones: addresses are not resolved yet, flows do not
    exist yet, programs are not in memory. None of that may be in a sample.
    """
    for cell in short:
        try:
            await experiment.measure(cell, endpoints)
        except (MeasureError, HostError, OverlayError) as error:
            emit(Note(f"warm-up of {cell.overlay}, {cell.metric}: {error}"))
            await experiment.recover(endpoints)
    metrics = ", ".join(cell.metric for cell in short)
    emit(Note(f"{short[0].overlay}: warm-up of {short[0].seconds:g} s for each of {metrics} was thrown away"))


async def roll_back(overlay: Overlay, phases: Phases, limit: float | None = None) -> None:
    """Uninstall an overlay after an error, within `limit` (s); report a failure of this, do not raise it."""
    try:
        with phases("uninstall"):
            async with asyncio.timeout(limit):
                await overlay.uninstall()
    except (LabError, TimeoutError) as error:
        reason = str(error) or (f"no end within {limit:g} s" if limit else "it timed out")
        phases.emit(Note(f"{phases.overlay} could not be removed from every host: {reason}"))
