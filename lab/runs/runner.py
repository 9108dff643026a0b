"""The run engine: overlays one after the other, their cells in random order, every sample on disk.

    install → ready → endpoints → measure → uninstall

An overlay that cannot be had, or breaks, does not stop the others. A cancelled or killed run
leaves a folder from which the next one goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from experiments.base import Cell, Experiment, Profile
from lab.errors import HostError, LabError, MeasureError, NotObtainable, OverlayError
from lab.events import Emit, Note, SampleDone, silent, step
from lab.hosts.base import Endpoint
from lab.measure.reach import all_pairs
from lab.measure.together import together
from lab.runs import plan
from lab.runs.attempt import Attempts
from lab.runs.executor import Executor, InProcess
from lab.runs.folder import RunFolder
from lab.runs.lab import Lab
from lab.runs.manifest import OverlayState
from lab.runs.plan import Task
from lab.runs.progress import Progress
from lab.topology import Topology
from overlays.base import Overlay

#: How long an overlay may take until it says that all hosts reach each other (s).
READY = 120.0
#: How long it has to find a lost peer again after a failed sample (s).
RECOVERY = 60.0
#: How long an interrupted run may take to take its overlay off the hosts (s).
FAREWELL = 20.0


@dataclass(frozen=True)
class Outcome:
    """What came of a run: the state of each overlay, and the cells that were given up."""

    overlays: Mapping[str, OverlayState]
    failed: Sequence[str]

    @property
    def status(self) -> int:
        """The exit status: 0 when something was measured and nothing failed."""
        states = [overlay.state for overlay in self.overlays.values()]
        return 0 if "ok" in states and "failed" not in states and not self.failed else 1


async def run_experiment(
    experiment: Experiment,
    lab: Lab,
    overlays: Mapping[str, Overlay],
    profile: Profile,
    folder: RunFolder,
    *,
    emit: Emit = silent,
    executor: Executor | None = None,
) -> Outcome:
    """Measure what the folder does not hold yet, and return what came of it.

    Args:
        experiment: whose grid is measured.
        lab: hosts and links, up and shaped.
        overlays: by the name under which their samples are stored.
        profile: how often and how long.
        folder: opened by `RunFolder.create` or `RunFolder.resume`; seed and filter are in its manifest.
        emit: told of every step and sample.
        executor: who measures; by default this process, one sample at a time.

    Raises:
        RunError: a sample cannot be written.
        ShaperError: the links are no longer shaped; nothing measured on them counts.
    """
    runner = _Runner(experiment, lab, overlays, profile, folder, emit, executor or InProcess())
    return await runner.run()


def plan_cells(
    experiment: Experiment,
    topology: Topology,
    overlays: Sequence[str],
    profile: Profile,
    only: Sequence[str] = (),
) -> dict[str, list[Cell]]:
    """The cells of each overlay: what a run measures, and a dry run prints."""
    return {name: plan.chosen(experiment.cells(topology, name, profile), only) for name in overlays}


class _Runner:
    """One run while it lasts."""

    def __init__(
        self,
        experiment: Experiment,
        lab: Lab,
        overlays: Mapping[str, Overlay],
        profile: Profile,
        folder: RunFolder,
        emit: Emit,
        executor: Executor,
    ) -> None:
        self.experiment, self.lab, self.overlays, self.folder = experiment, lab, overlays, folder
        self.emit, self.executor = emit, executor
        only = folder.manifest.only
        self.cells = plan_cells(experiment, lab.topology, list(overlays), profile, only)
        self.progress = Progress([c for cells in self.cells.values() for c in cells], folder.samples)
        self.failures: Counter[str] = Counter()

    async def run(self) -> Outcome:
        for name, overlay in self.overlays.items():
            state = await self._overlay(name, overlay)
            self.folder.manifest.overlays[name] = state
            self.folder.save()
        failed = [cell.key for cell in self._all_cells() if not self.progress.finished(cell)]
        states = {name: self.folder.manifest.overlays[name] for name in self.overlays}
        obtained = [name for name, state in states.items() if state.state != "not obtainable"]
        failed = [key for key in failed if key.split("/")[0] in obtained]
        self.folder.manifest.complete = not failed
        self.folder.save()
        return Outcome(states, failed)

    def _all_cells(self) -> Iterator[Cell]:
        for cells in self.cells.values():
            yield from cells

    async def _overlay(self, name: str, overlay: Overlay) -> OverlayState:
        """Work through one overlay; its failures become its state, not the run's end."""
        tasks = plan.order(self.cells[name], self.folder.manifest.seed, name)
        settings = dict(overlay.settings)
        if all(self.progress.done(task) for task in tasks):
            self.emit(Note(f"{name}: every sample is there already"))
            return self.folder.manifest.overlays.get(name, OverlayState()).model_copy(update={"state": "ok"})
        try:
            mode = await self._on(name, overlay, tasks)
        except NotObtainable as error:
            self.emit(Note(str(error)))
            return OverlayState(
                state="not obtainable", reason=error.reason, remedy=error.remedy, settings=settings
            )
        except (OverlayError, HostError, MeasureError) as error:
            self.emit(Note(f"{name} is given up: {error}"))
            return OverlayState(state="failed", reason=str(error), settings=settings)
        return OverlayState(state="ok", settings=settings, mode=dict(mode))

    async def _on(self, name: str, overlay: Overlay, tasks: Sequence[Task]) -> Mapping[str, str]:
        if missing := overlay.obtainable():
            raise NotObtainable(name, missing.what, missing.remedy)
        try:
            with self._phase(name, "install"):
                await overlay.install(tuple(self.lab.hosts.values()), self.lab.topology)
            with self._phase(name, "ready"):
                await overlay.ready(READY)
            with self._phase(name, "endpoints"):
                endpoints = await self._attach(overlay)
            with self._phase(name, "reachability"):
                await all_pairs(endpoints)
            with self._phase(name, "servers and warm-up"):
                await self.experiment.prepare(endpoints)
            await self._report(name, overlay, "before")
            with self._phase(name, "measuring"):
                mode = await self._measure(name, overlay, endpoints, tasks)
            await self._report(name, overlay, "after")
        except asyncio.CancelledError:
            await self._farewell(name, overlay)
            raise
        except LabError:
            await self._report(name, overlay, "failure")
            await self._farewell(name, overlay)
            raise
        with self._phase(name, "uninstall"):
            await overlay.uninstall()
        return mode

    async def _attach(self, overlay: Overlay) -> dict[str, Endpoint]:
        hosts = self.lab.hosts
        attached = await together(overlay.attach(host) for host in hosts.values())
        return dict(zip(hosts, attached, strict=True))

    async def _farewell(self, name: str, overlay: Overlay) -> None:
        """Uninstall after trouble: what goes wrong now is told, and does not hide the trouble."""
        try:
            with self._phase(name, "uninstall"):
                async with asyncio.timeout(FAREWELL):
                    await overlay.uninstall()
        except (LabError, TimeoutError) as error:
            self.emit(Note(f"{name} could not be taken off every host: {error or 'no end in time'}"))

    async def _measure(
        self, name: str, overlay: Overlay, endpoints: Mapping[str, Endpoint], tasks: Sequence[Task]
    ) -> Mapping[str, str]:
        attempts = Attempts(
            self.experiment, overlay, endpoints, self.lab, self.folder.manifest.run, self.progress, self.emit
        )
        await attempts.begin()
        wanted = plan.wanted(tasks, self.progress.done, lambda cell: self.failures[cell.key])
        async for measured in self.executor.results(wanted, attempts.measure):
            sample = self.folder.append(measured.sample, measured.raw)
            self.progress.add(sample)
            self.failures[sample.cell] += not sample.ok
            self.emit(
                SampleDone(
                    sample.cell, sample.repetition, sample.outcome, sample.verdict.state, sample.values
                )
            )
            if not sample.ok:
                await self._after_failure(name, overlay, endpoints, sample.error or "")
        return attempts.mode

    async def _after_failure(
        self, name: str, overlay: Overlay, endpoints: Mapping[str, Endpoint], error: str
    ) -> None:
        """Say what failed, see whether the overlay still stands, and put the endpoints in order."""
        self.emit(Note(f"failed: {error}"))
        with self._phase(name, "recovery"):
            await overlay.ready(RECOVERY)
            await self.experiment.recover(endpoints)

    async def _report(self, name: str, overlay: Overlay, when: str) -> None:
        """Keep the overlay's own words with the run; without them a run is no worse than before."""
        try:
            report: Mapping[str, Any] = await overlay.report()
        except (OverlayError, HostError) as error:
            report = {"error": str(error)}
        if report:
            self.folder.store(f"reports/{name}.{when}.json", json.dumps(report, indent=1, default=str))

    @contextmanager
    def _phase(self, name: str, phase: str) -> Iterator[None]:
        """A step whose time also goes into the manifest, added up over sessions."""
        start = monotonic()
        try:
            with step(self.emit, f"{name}: {phase}"):
                yield
        finally:
            timing = self.folder.manifest.timing.setdefault(name, {})
            timing[phase] = round(timing.get(phase, 0.0) + monotonic() - start, 3)
