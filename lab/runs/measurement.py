"""The measurement of one repetition of a cell, and everything that is recorded around it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from lab.errors import CommandError, HostError, MeasureError, OverlayError, ShaperError
from lab.events import Emit, SampleStarted
from lab.hosts.host import Endpoint
from lab.measure import link_counters
from lab.measure.link_counters import Counts
from lab.runs.daemon_watch import Watch
from lab.runs.experiment import Experiment, Reading
from lab.runs.plan import Task
from lab.runs.progress import Progress
from lab.runs.sample import Sample
from lab.runs.target import NoScript, RunTarget, Script
from lab.runs.verdict import changes, verdict
from overlays.base import Overlay

#: Errors that say that links are not as they were set, or can no longer be read.
LINK_ERRORS = (ShaperError, CommandError)


@dataclass(frozen=True)
class Recording:
    """All that was recorded around one repetition, before it is judged; `seconds` is its wall time."""

    started: datetime
    seconds: float
    reading: Reading
    machine: Mapping[str, Any]
    links: Mapping[str, Mapping[str, Any]]
    mode: Mapping[str, str]
    datapath: Mapping[str, int]
    #: A sentence for everything that failed: tool, links, their script, overlay.
    trouble: Sequence[str]
    #: True if the tool's traffic failed on links that were as they were set.
    collapsed: bool
    #: What a reader must know of the links, without it being a fault of the sample.
    remarks: Mapping[str, str]


@dataclass
class Sampler:
    """Measures repetitions of cells on one overlay, one after the other."""

    experiment: Experiment
    overlay: Overlay
    endpoints: Mapping[str, Endpoint]
    target: RunTarget
    run: str
    progress: Progress
    emit: Emit
    watch: Watch
    #: The changes of the links meanwhile.
    script: Script = field(default_factory=NoScript)
    #: The overlay's mode when last asked: the answer after a sample holds before the next one.
    mode: Mapping[str, str] = field(default_factory=dict)
    #: The overlay's mode before the first sample; every sample is compared with it.
    first_mode: Mapping[str, str] = field(default_factory=dict)
    #: True if the last task disturbed the overlay on purpose.
    disturbed: bool = False

    async def begin(self) -> None:
        """Check the links and ask the overlay for its mode, before the first sample.

        Raises:
            ShaperError: a link is not as it was set.
        """
        await self.target.check()
        self.mode = self.first_mode = dict(await self.overlay.mode())

    async def read_mode_again(self) -> str:
        """Ask for the mode after the overlay recovered; return how it differs from the first one, or ""."""
        self.mode = dict(await self.overlay.mode())
        return "; ".join(changes(self.first_mode, self.mode, self.mode))

    async def measure(self, task: Task) -> tuple[Sample, str]:
        """Measure one repetition; return its sample and the tool's own output.

        A failure of the tool, a host, a link or the overlay makes it a failed sample. One of the tool alone
        is a collapse of the traffic: what the network did, and as such it is judged. Links are read back
        once between two samples: the result holds after the first and before the second.

        Raises:
            ShaperError: the links died before the sample began.
        """
        progress = self.progress
        number, asked = task.repetition, task.cell.repetitions
        self.emit(
            SampleStarted(
                task.cell.key,
                number,
                asked,
                progress.measured,
                progress.total,
                progress.left,
                task.bring_up,
            )
        )
        recorded = await self._record(task)
        sample = self._sample(task, recorded)
        self.mode, self.disturbed = recorded.mode, task.cell.disturbs
        return sample, recorded.reading.raw

    async def _record(self, task: Task) -> Recording:
        before, counters, spent = await asyncio.gather(
            self.target.counters(), self._counters(), self._spent()
        )
        started, start = datetime.now(UTC), monotonic()
        await self.target.machine.start()
        reading, error, collapsed = await self._reading(task)
        machine, seconds = await self.target.machine.stop(), monotonic() - start
        (after, unshaped), (mode, datapath, complaint), now = await asyncio.gather(
            self._links(), self._state(), self._spent()
        )
        if spent is not None and now is not None:
            machine = {**machine, "links_cpu": round((now - spent) / seconds, 4)}
        troubles = (unshaped, self.script.trouble, error, "" if task.cell.disturbs else complaint)
        return Recording(
            started,
            seconds,
            reading,
            machine,
            link_counters.difference(before, after),
            mode,
            {key: count - counters.get(key, 0) for key, count in datapath.items()},
            tuple(dict.fromkeys(filter(None, troubles))),
            collapsed and not unshaped and not self.script.trouble and not complaint,
            self._remarks(start),
        )

    def _sample(self, task: Task, recorded: Recording) -> Sample:
        cell, reading, mode = task.cell, recorded.reading, recorded.mode
        changed = [] if cell.disturbs else changes(self.first_mode, self.mode, mode)
        return Sample(
            run=self.run,
            cell=cell.key,
            overlay=cell.overlay,
            metric=cell.metric,
            params=dict(cell.params),
            repetition=task.repetition,
            attempt=self.progress.attempts(task) + 1,
            bring_up=task.bring_up,
            clock=self.target.clock,
            costs=dict(self.target.costs),
            started=recorded.started.isoformat(timespec="milliseconds"),
            seconds=round(recorded.seconds, 4),
            outcome="failed" if recorded.trouble else "ok",
            collapsed=recorded.collapsed,
            error="; ".join(recorded.trouble) or None,
            values=dict(reading.values),
            facts={**reading.facts, **recorded.remarks},
            mode=dict(self.mode),
            mode_after=dict(mode) if mode != self.mode else {},
            changed=changed,
            datapath=dict(recorded.datapath),
            verdict=verdict(
                recorded.seconds,
                recorded.machine,
                recorded.links,
                [*(() if recorded.collapsed else recorded.trouble), *changed],
                [
                    *(recorded.trouble if recorded.collapsed else ()),
                    *(f"{subject}: {remark}" for subject, remark in recorded.remarks.items()),
                ],
            ),
            machine=dict(recorded.machine),
            links=dict(recorded.links),
            congestion_control=reading.facts.get("sender_tcp_congestion"),
            argv=list(reading.argv),
        )

    def _remarks(self, start: float) -> dict[str, str]:
        """Return the links' changes since `start` (monotonic clock, s), and the faults that were accepted."""
        changed, accepted = self.script.since(start), self.target.accepted
        return {
            **({"links changed during it": "; ".join(changed)} if changed else {}),
            **({"links accepted as they were": "; ".join(accepted)} if accepted else {}),
        }

    async def _reading(self, task: Task) -> tuple[Reading, str, bool]:
        """Return the tool's reading, or one without values; the error or ""; and if that is the tool's."""
        try:
            return await self.watch.beside(self.experiment.measure(task.cell, self.endpoints)), "", False
        except MeasureError as error:
            return Reading({}, error.raw, error.argv), str(error), error.traffic
        except CommandError as error:
            return Reading({}, error.stdout + error.stderr, error.argv), str(error), False
        except (HostError, OverlayError) as error:
            return Reading({}, ""), str(error), False

    async def _links(self) -> tuple[Counts, str]:
        """Return the links' counters, and a fault of the links; "" if all are as they were set."""
        counts, checked = await asyncio.gather(
            self.target.counters(), self.target.check(), return_exceptions=True
        )
        results = (checked, counts)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, LINK_ERRORS):
                raise result
        unshaped = next((str(result) for result in results if isinstance(result, LINK_ERRORS)), "")
        return {} if isinstance(counts, BaseException) else counts, unshaped

    async def _spent(self) -> float | None:
        """Return the CPU time (s) that imposing the links took so far; None if no process counts it."""
        try:
            return (await self.target.cost()).get("cpu_seconds")
        except LINK_ERRORS:
            return None

    async def _counters(self) -> Mapping[str, int]:
        """Return the data path's counters; {} on an error, which is reported after the sample."""
        try:
            return await self.overlay.counters()
        except (OverlayError, HostError):
            return {}

    async def _state(self) -> tuple[Mapping[str, str], Mapping[str, int], str]:
        """Ask the overlay after a sample; return its mode, its data path counters, and an error or "".

        On an error, the mode is the one before the sample.
        """
        try:
            mode, counters = await asyncio.gather(self.overlay.mode(), self.overlay.counters())
        except (OverlayError, HostError) as error:
            return self.mode, {}, str(error)
        return dict(mode), counters, ""
