"""One attempt at one repetition: the measurement, and everything that is recorded around it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from lab.errors import CommandError, HostError, MeasureError, OverlayError, ShaperError
from lab.events import Emit, SampleStarted
from lab.hosts.host import Endpoint
from lab.measure import link_counters
from lab.measure.link_counters import Counts
from lab.runs.daemon_watch import Watch
from lab.runs.experiment import Experiment, Reading
from lab.runs.plan import Task
from lab.runs.progress import Progress
from lab.runs.sample import Sample, Verdict
from lab.runs.target import Nothing, RunTarget, Script
from lab.runs.verdict import changes, verdict
from overlays.base import Overlay

#: How links say that they are not as they were set, or cannot be asked any more.
LINKS_FAIL = (ShaperError, CommandError)


@dataclass(frozen=True)
class Attempt:
    """A sample and the tool's own output."""

    sample: Sample
    raw: str


@dataclass(frozen=True)
class OverlaySnapshot:
    """An overlay after a sample: its mode, its data path's counters, and what it complains of."""

    mode: Mapping[str, str]
    counters: Mapping[str, int]
    trouble: str = ""


@dataclass
class Attempts:
    """Measures tasks on one overlay, one after the other."""

    experiment: Experiment
    overlay: Overlay
    endpoints: Mapping[str, Endpoint]
    lab: RunTarget
    run: str
    progress: Progress
    emit: Emit
    watch: Watch
    #: What ran when last asked: what the overlay says after a sample it says before the next.
    mode: Mapping[str, str] = field(default_factory=dict)
    #: What ran before the first sample: what every sample is held against.
    first: Mapping[str, str] = field(default_factory=dict)
    #: What happens to the links meanwhile.
    script: Script = field(default_factory=Nothing)
    #: Whether the last task shook the overlay on purpose.
    disturbed: bool = False

    async def begin(self) -> None:
        """Ask for the mode, and hold the links against what was asked, before the first sample.

        Raises:
            ShaperError: a link is not as it was set.
        """
        await self.lab.check()
        self.mode = self.first = dict(await self.overlay.mode())

    async def ask_again(self) -> str:
        """Ask for the mode after the overlay was mended; says what of it is not as at first, "" if all is."""
        self.mode = dict(await self.overlay.mode())
        return "; ".join(changes(self.first, self.mode, self.mode))

    async def measure(self, task: Task) -> Attempt:
        """Measure one repetition; what fails, be it tool, host, link or overlay, makes it a failed sample.

        What the links are after a sample they are before the next one: they are read back once for both.

        Raises:
            ShaperError: the links died before the sample began.
        """
        self._announce(task)
        before, said, spent = await asyncio.gather(self.lab.counters(), self._counters(), self._spent())
        started, start = datetime.now(UTC), monotonic()
        await self.lab.machine.start()
        reading, error = await self._reading(task)
        machine, seconds = await self.lab.machine.stop(), monotonic() - start
        (after, unshaped), overlay, now = await asyncio.gather(self._links(), self._state(), self._spent())
        if None not in (spent, now):
            machine = {**machine, "links_cpu": round(((now or 0) - (spent or 0)) / seconds, 4)}
        counted = link_counters.difference(before, after)
        calm = not task.cell.disturbs
        trouble = list(
            dict.fromkeys(
                filter(None, (unshaped, self.script.trouble, error, overlay.trouble if calm else ""))
            )
        )
        changed = changes(self.first, self.mode, overlay.mode) if calm else []
        self.disturbed = not calm
        judged = verdict(seconds, machine, counted, [*trouble, *changed], task.cell.one_way)
        marks = self._marks(start)
        words = [f"{what}: {which}" for what, which in marks.items()]
        judged = judged.model_copy(update={"reasons": [*judged.reasons, *words]})
        asked, self.mode = self.mode, overlay.mode
        sample = Sample(
            run=self.run,
            cell=task.cell.key,
            overlay=task.cell.overlay,
            metric=task.cell.metric,
            params=dict(task.cell.params),
            repetition=task.repetition,
            attempt=self.progress.attempts(task) + 1,
            started=started.isoformat(timespec="milliseconds"),
            seconds=round(seconds, 4),
            outcome="failed" if trouble else "ok",
            error="; ".join(trouble) or None,
            values=dict(reading.values),
            facts={**reading.facts, **marks},
            mode=dict(asked),
            mode_after=dict(overlay.mode) if overlay.mode != asked else {},
            changed=changed,
            datapath={key: count - said.get(key, 0) for key, count in overlay.counters.items()},
            verdict=Verdict.model_validate(judged),
            machine=machine,
            links=counted,
            congestion_control=reading.facts.get("sender_tcp_congestion"),
            argv=list(reading.argv),
        )
        return Attempt(sample, reading.raw)

    def _marks(self, start: float) -> dict[str, str]:
        """What a reader must know of the links during the sample, without it being a fault of the sample."""
        changed, accepted = self.script.since(start), self.lab.accepted
        return {
            **({"links changed during it": "; ".join(changed)} if changed else {}),
            **({"links accepted as they were": "; ".join(accepted)} if accepted else {}),
        }

    def _announce(self, task: Task) -> None:
        progress = self.progress
        self.emit(
            SampleStarted(
                task.cell.key,
                task.repetition,
                progress.asked(task.cell),
                progress.measured,
                progress.total,
                progress.left,
            )
        )

    async def _reading(self, task: Task) -> tuple[Reading, str | None]:
        """What the tool gave, or no values and what went wrong."""
        try:
            return await self.watch.beside(self.experiment.measure(task.cell, self.endpoints)), None
        except MeasureError as error:
            return Reading({}, error.raw, error.argv), str(error)
        except CommandError as error:
            return Reading({}, error.stdout + error.stderr, error.argv), str(error)
        except (HostError, OverlayError) as error:
            return Reading({}, ""), str(error)

    async def _links(self) -> tuple[Counts, str]:
        """What the links counted, and what of them is not as it was set, "" if all is."""
        counts, checked = await asyncio.gather(self.lab.counters(), self.lab.check(), return_exceptions=True)
        for found in (checked, counts):
            if isinstance(found, BaseException) and not isinstance(found, LINKS_FAIL):
                raise found
        said = next((str(found) for found in (checked, counts) if isinstance(found, LINKS_FAIL)), "")
        return {} if isinstance(counts, BaseException) else counts, said

    async def _spent(self) -> float | None:
        """CPU time (s) that imposing the links took so far; None where that is nobody's, or nobody says."""
        try:
            return (await self.lab.cost()).get("cpu_seconds")
        except LINKS_FAIL:
            return None

    async def _counters(self) -> Mapping[str, int]:
        """The data path's counters; an overlay that does not tell them now says why after the sample."""
        try:
            return await self.overlay.counters()
        except (OverlayError, HostError):
            return {}

    async def _state(self) -> OverlaySnapshot:
        """What the overlay says after a sample: where it says nothing, the mode is that of before."""
        try:
            mode, counters = await asyncio.gather(self.overlay.mode(), self.overlay.counters())
        except (OverlayError, HostError) as error:
            return OverlaySnapshot(self.mode, {}, str(error))
        return OverlaySnapshot(dict(mode), counters)
