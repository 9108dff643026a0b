"""One block of a run: one bring-up of one overlay, from its installation to its removal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any

from lab.errors import HostError, LabError, NotObtainable, OverlayError
from lab.events import Emit, Note, SampleDone
from lab.hosts.host import Endpoint
from lab.runs.bring_up import Phases, bring_up, reach_each_other, roll_back
from lab.runs.daemon_watch import Watch
from lab.runs.experiment import Experiment
from lab.runs.manifest import Resources
from lab.runs.measurement import Sampler
from lab.runs.plan import Block, Task, wanted
from lab.runs.progress import Progress
from lab.runs.run_folder import RunFolder, slug
from lab.runs.sample import Sample
from lab.runs.target import RunTarget
from overlays.base import Overlay
from overlays.common.polling import until

#: How long an overlay has to find a lost peer again after a failed sample (s).
RECOVERY = 60.0
#: How often at most a repetition in which the overlay fell back is measured again on relaunched daemons.
RELAUNCHES = 2
#: How long taking an overlay off the hosts may last after trouble or Ctrl-C (s).
ROLL_BACK = 20


@dataclass
class OverlayRun:
    """One block of a run: bring-up, measuring, removal.

    Repetitions are measured in this process, one at a time: two measurements at once would share links
    and CPUs and spoil each other.
    """

    block: Block
    overlay: Overlay
    experiment: Experiment
    target: RunTarget
    folder: RunFolder
    progress: Progress
    emit: Emit
    #: The overlay was on the lab before the run, and stays on it.
    keep_installed: bool = False
    failures: Counter[str] = field(default_factory=Counter)
    relaunches: int = 0

    @property
    def name(self) -> str:
        """The overlay, by the name under which its samples are stored."""
        return self.block.overlay

    @property
    def label(self) -> str:
        """The block in messages and in names of files; the overlay alone where it is brought up once."""
        return self.block.name if self.folder.manifest.bring_ups > 1 else self.name

    @cached_property
    def phases(self) -> Phases:
        """The overlay's phases; the manifest has their times (s), added up over all blocks and sessions."""
        return Phases(self.label, self.emit, self.folder.manifest.timing.setdefault(self.name, {}))

    async def work_through(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Measure the tasks that are not done yet, and return the overlay's last mode.

        Raises:
            NotObtainable: this machine cannot have the overlay.
            OverlayError, HostError, MeasureError: it did not come up, or failed and did not recover.
        """
        if missing := self.overlay.obtainable():
            raise NotObtainable(self.name, missing.what, missing.remedy)
        cells = [task.cell for task in tasks if not self.progress.done(task)]
        hosts, topology = self.target.hosts, self.target.topology
        try:
            before = self.phases.bringing_up()
            endpoints = await bring_up(self.overlay, hosts, topology, self.phases, self.experiment, cells)
            await self._note_resources(self.phases.bringing_up() - before)
            mode = await self._measure(endpoints, tasks)
        except asyncio.CancelledError:
            await self._roll_back()
            raise
        except LabError:
            await self._report("failure")
            await self._roll_back()
            raise
        if not self.keep_installed:
            with self.phases("uninstall"):
                await self.overlay.uninstall()
        return mode

    async def _note_resources(self, seconds: float) -> None:
        """Store time and memory of the bring-up in the manifest; replaces an entry of this number."""
        number, memory = self.block.number, dict(await self.overlay.memory())
        fresh = Resources(bring_up=number, seconds=round(seconds, 3), memory=memory)
        noted = self.folder.manifest.resources.setdefault(self.name, [])
        noted[:] = [*(old for old in noted if old.bring_up != number), fresh]

    async def _roll_back(self) -> None:
        if not self.keep_installed:
            await roll_back(self.overlay, self.phases, ROLL_BACK)

    async def _measure(self, endpoints: Mapping[str, Endpoint], tasks: Sequence[Task]) -> Mapping[str, str]:
        await self._report("before")
        script = self.target.script()
        async with Watch(self.overlay) as watch, script:
            run, progress = self.folder.manifest.run, self.progress
            sampler = Sampler(
                self.experiment, self.overlay, endpoints, self.target, run, progress, self.emit, watch, script
            )
            try:
                with self.phases("measuring"):
                    await sampler.begin()
                    with self.target.while_up(self.name, self.overlay, endpoints.values(), sampler.mode):
                        await self._measure_all(sampler, tasks)
            finally:
                if happened := script.record():
                    name = f"reports/{slug(self.label)}.schedule.json"
                    self.folder.store(name, json.dumps(happened, indent=1))
        await self._report("after")
        return sampler.mode

    async def _measure_all(self, sampler: Sampler, tasks: Sequence[Task]) -> None:
        start = monotonic()
        for task in wanted(tasks, self.progress.done, lambda cell: self.failures[cell.key]):
            sample = self._keep(*await sampler.measure(task), monotonic() - start)
            if sample.verdict.state == "broken" or not sample.ok:
                await self._mend(sample, sampler)
            elif sampler.disturbed:  # the cell disturbed the overlay on purpose: let it recover first
                await self._wait(sample, sampler)
                await sampler.read_mode_again()
            start = monotonic()

    def _keep(self, sample: Sample, raw: str, took: float) -> Sample:
        stored = self.folder.append(sample, raw)
        self.progress.add(stored, took)
        self.failures[stored.cell] += not stored.measured
        self.emit(
            SampleDone(
                stored.cell,
                stored.repetition,
                stored.outcome,
                stored.verdict.state,
                stored.values,
                stored.bring_up,
                stored.collapsed,
                stored.verdict.reasons,
            )
        )
        return stored

    async def _mend(self, sample: Sample, sampler: Sampler) -> None:
        """Report what broke a sample, and make sure that the overlay works again before the next one."""
        reasons = "; ".join(sample.verdict.reasons)
        self.emit(Note(f"{sample.cell} #{sample.repetition}: {reasons or sample.error}"))
        await self.target.check()
        await self.overlay.check()
        if sample.changed and self.folder.manifest.on_fallback == "relaunch":
            await self._relaunch(sampler)
        elif sample.mode_after or not sample.ok:
            await self._wait(sample, sampler)
        if not sample.ok:
            await self.experiment.recover(sampler.endpoints)
        await sampler.read_mode_again()

    async def _relaunch(self, sampler: Sampler) -> None:
        """Restart the overlay's daemons, as the 2016 study did by hand, and wait for its first mode."""
        self.relaunches += 1
        await self._report(f"relaunch-{self.relaunches}")
        with self.phases("relaunch"):
            await self.overlay.relaunch()
            await until(sampler.read_mode_again, RECOVERY, f"{self.name}: its first mode, after a relaunch,")
            await reach_each_other(self.overlay, sampler.endpoints, self.target.topology)
            await sampler.watch.again()

    async def _wait(self, sample: Sample, sampler: Sampler) -> None:
        """Give the overlay time to recover; one that only fell back may go on, and its samples are marked."""
        with self.phases("mending"):
            try:
                await self.overlay.ready(RECOVERY)
            except OverlayError as error:
                if not sample.ok:
                    raise
                self.emit(Note(f"{self.name} goes on, and what it measures so does not count: {error}"))
        await sampler.watch.again()

    async def _report(self, when: str) -> None:
        """Store the overlay's own status and its daemons' logs; a failure to get them stops no run."""
        try:
            report: Mapping[str, Any] = await self.overlay.report()
            # uninstalling and relaunching remove the daemons' logs, so they are fetched each time
            part = f"{when}/" if when.startswith("relaunch") else ""
            for name, log in (await self.overlay.logs()).items():
                self.folder.store(f"logs/{slug(self.label)}/{part}{name}", log.decode(errors="replace"))
        except (OverlayError, HostError) as error:
            report = {"error": str(error)}
        if report:
            text = json.dumps(report, indent=1, default=str)
            self.folder.store(f"reports/{slug(self.label)}.{when}.json", text)
