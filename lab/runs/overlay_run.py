"""One overlay of a run, from its installation to its removal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import combinations
from time import monotonic
from typing import Any

from lab.errors import HostError, LabError, NotObtainable, OverlayError, TopologyError
from lab.events import Emit, Note, SampleDone, step
from lab.hosts.host import Endpoint
from lab.measure.reachability import every_pair
from lab.runs import warmup
from lab.runs.daemon_watch import Watch
from lab.runs.executor import Executor
from lab.runs.experiment import Experiment
from lab.runs.measurement import Attempts
from lab.runs.plan import Task, wanted
from lab.runs.progress import Progress
from lab.runs.run_folder import RunFolder, slug
from lab.runs.sample import Sample
from lab.runs.target import RunTarget
from lab.util.concurrency import together
from overlays.base import Overlay
from overlays.common.polling import until

#: How long an overlay may take until it says that all hosts reach each other (s).
READY = 120.0
#: How long it has to find a lost peer again after a failed sample (s).
RECOVERY = 60.0
#: How often a repetition in which the overlay fell back is measured again on relaunched daemons.
RELAUNCHES = 2
#: How long taking an overlay off the hosts may last after trouble or Ctrl-C (s).
FAREWELL = 20.0


@dataclass
class Stages:
    """Works one overlay through: install, ready, endpoints, measure, uninstall."""

    name: str
    overlay: Overlay
    experiment: Experiment
    lab: RunTarget
    folder: RunFolder
    progress: Progress
    executor: Executor
    emit: Emit
    failures: Counter[str] = field(default_factory=Counter)
    relaunches: int = 0
    #: The overlay was on the lab before the run, and stays on it.
    keep_installed: bool = False

    async def work_through(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Measure the tasks that are not done yet; returns the overlay's last mode.

        Raises:
            NotObtainable: this machine cannot have the overlay.
            OverlayError, HostError, MeasureError: it did not come up, or did not stand.
        """
        if missing := self.overlay.obtainable():
            raise NotObtainable(self.name, missing.what, missing.remedy)
        try:
            endpoints = await self._bring_up()
            await self._warm_up(endpoints, tasks)
            mode = await self._measure(endpoints, tasks)
        except asyncio.CancelledError:
            await self._farewell()
            raise
        except LabError:
            await self._report("failure")
            await self._farewell()
            raise
        if not self.keep_installed:
            with self._phase("uninstall"):
                await self.overlay.uninstall()
        return mode

    async def _bring_up(self) -> Mapping[str, Endpoint]:
        hosts = self.lab.hosts
        with self._phase("install"):
            await self.overlay.install(tuple(hosts.values()), self.lab.topology)
        with self._phase("ready"):
            await self.overlay.ready(READY)
        with self._phase("endpoints"):
            attached = await together(self.overlay.attach(host) for host in hosts.values())
        endpoints = dict(zip(hosts, attached, strict=True))
        with self._phase("a packet between every two endpoints"):
            await every_pair(endpoints, self._pairs(), refresh=self.overlay.refresh)
        with self._phase("preparation"):
            await self.experiment.prepare(endpoints)
        return endpoints

    async def _warm_up(self, endpoints: Mapping[str, Endpoint], tasks: Sequence[Task]) -> None:
        missing = [task.cell for task in tasks if not self.progress.done(task)]
        if short := warmup.cells(self.experiment, missing):
            with self._phase(warmup.PHASE):
                await warmup.warm_up(self.experiment, short, endpoints, self.emit)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """All pairs of hosts that the topology connects; its parts may be meant not to touch."""
        topology = self.lab.topology
        for a, b in combinations(self.lab.hosts, 2):
            with suppress(TopologyError):
                topology.path(a, b)
                yield a, b

    async def _measure(self, endpoints: Mapping[str, Endpoint], tasks: Sequence[Task]) -> Mapping[str, str]:
        await self._report("before")
        script = self.lab.script()
        async with Watch(self.overlay) as watch, script:
            run = self.folder.manifest.run
            attempts = Attempts(
                self.experiment, self.overlay, endpoints, self.lab, run, self.progress, self.emit, watch
            )
            attempts.script = script
            try:
                with self._phase("measuring"):
                    await self._all(attempts, tasks)
            finally:
                self._store(script.record())
        await self._report("after")
        return attempts.mode

    def _store(self, happened: Sequence[Mapping[str, Any]]) -> None:
        """Keep what was done to the links with the run."""
        if happened:
            self.folder.store(f"reports/{slug(self.name)}.schedule.json", json.dumps(happened, indent=1))

    async def _all(self, attempts: Attempts, tasks: Sequence[Task]) -> None:
        await attempts.begin()
        missing = wanted(tasks, self.progress.done, lambda cell: self.failures[cell.key])
        start = monotonic()
        async for measured in self.executor.results(missing, attempts.measure):
            sample = self._keep(measured.sample, measured.raw, monotonic() - start)
            if sample.verdict.state == "broken":
                await self._mend(sample, attempts)
            elif attempts.disturbed:
                await self._settle(sample, attempts)
            start = monotonic()

    def _keep(self, sample: Sample, raw: str, took: float) -> Sample:
        stored = self.folder.append(sample, raw)
        self.progress.add(stored, took)
        self.failures[stored.cell] += not stored.ok
        self.emit(
            SampleDone(stored.cell, stored.repetition, stored.outcome, stored.verdict.state, stored.values)
        )
        return stored

    async def _mend(self, sample: Sample, attempts: Attempts) -> None:
        """Say what broke a sample, and see to it that the overlay stands again before the next one.

        Raises:
            OverlayError: it does not stand again.
            ShaperError: the links are not as they were set.
        """
        self.emit(Note(f"{sample.cell} #{sample.repetition}: {'; '.join(sample.verdict.reasons)}"))
        await self.lab.check()
        await self.overlay.check()
        if sample.changed and self.folder.manifest.on_fallback == "relaunch":
            await self._relaunch(attempts)
        elif sample.mode_after or not sample.ok:
            await self._wait(sample)
            await attempts.watch.again()
        if not sample.ok:
            await self.experiment.recover(attempts.endpoints)
        await attempts.ask_again()

    async def _settle(self, sample: Sample, attempts: Attempts) -> None:
        """Let the overlay come to rest after a sample that shook it on purpose."""
        await self._wait(sample)
        await attempts.watch.again()
        await attempts.ask_again()

    async def _relaunch(self, attempts: Attempts) -> None:
        """Start the overlay's daemons anew, as the 2016 study did by hand, until its mode is as at first."""
        self.relaunches += 1
        await self._report(f"relaunch-{self.relaunches}")
        with self._phase("relaunch"):
            await self.overlay.relaunch()
            await until(attempts.ask_again, RECOVERY, f"{self.name}: its first mode, after a relaunch,")
            await every_pair(attempts.endpoints, self._pairs(), refresh=self.overlay.refresh)
            await attempts.watch.again()

    async def _wait(self, sample: Sample) -> None:
        """Give the overlay time to mend itself; one that only fell back may go on as it is, marked."""
        with self._phase("mending"):
            try:
                await self.overlay.ready(RECOVERY)
            except OverlayError as error:
                if not sample.ok:
                    raise
                self.emit(Note(f"{self.name} goes on, and what it measures so does not count: {error}"))

    async def _farewell(self) -> None:
        """Uninstall after trouble: what goes wrong now is told, and does not hide the trouble."""
        if self.keep_installed:
            return
        try:
            with self._phase("uninstall"):
                async with asyncio.timeout(FAREWELL):
                    await self.overlay.uninstall()
        except (LabError, TimeoutError) as error:
            said = str(error) or f"no end within {FAREWELL:g} s"
            self.emit(Note(f"{self.name} could not be taken off every host: {said}"))

    async def _report(self, when: str) -> None:
        """Keep the overlay's own words with the run; without them a run is no worse than before."""
        try:
            report: Mapping[str, Any] = await self.overlay.report()
            # uninstalling and relaunching remove the daemons' logs, so they are fetched each time
            part = f"{when}/" if when.startswith("relaunch") else ""
            for name, log in (await self.overlay.logs()).items():
                self.folder.store(f"logs/{slug(self.name)}/{part}{name}", log.decode(errors="replace"))
        except (OverlayError, HostError) as error:
            report = {"error": str(error)}
        if report:
            text = json.dumps(report, indent=1, default=str)
            self.folder.store(f"reports/{slug(self.name)}.{when}.json", text)

    @contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        """A step whose time also goes into the manifest, added up over sessions."""
        start = monotonic()
        try:
            with step(self.emit, f"{self.name}: {phase}"):
                yield
        finally:
            timing = self.folder.manifest.timing.setdefault(self.name, {})
            timing[phase] = round(timing.get(phase, 0.0) + monotonic() - start, 3)
