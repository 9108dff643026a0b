"""The measuring part of an experiment's contract: its grid, and a way to measure one of its cells.

Repetition, order, store, resume, progress and verdicts are the engine's (`lab.runs`); claims, tables and
figures are the contract's other part (`lab.report.presentation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from lab.hosts.host import Endpoint
from lab.topology import Topology

#: The warm-up among a run's phases (`Manifest.timing`), by which a report knows that there was one.
WARM_UP = "warm-up"


@dataclass(frozen=True)
class Profile:
    """Amount of work: bring-ups, repetitions, durations, and what the network has.

    Every overlay is brought up `bring_ups` times, and each time every cell is measured as often as
    `repetitions` says. `repetitions`, `seconds` (s, of measuring) and `warmup` (s, run and thrown away)
    are by metric; `rate` (Mbit/s) is that of the links and `cpus` the CPUs of each host, where the
    profile sets them, and `why` says why. `rate_source` is who chose the rate: the profile, the
    user, or the search for the highest that this machine carries (`lab.runs.capacity`). `left_out` says
    what this profile does not measure and another one does.
    """

    name: str
    repetitions: Mapping[str, int]
    seconds: Mapping[str, float]
    warmup: Mapping[str, float] = field(default_factory=dict)
    rate: float | None = None
    why: str = ""
    cpus: float | None = None
    rate_source: Literal["profile", "user", "capacity"] = "profile"
    bring_ups: int = 1
    #: Congestion control of TCP's senders: the default of 2016, which is not that of every kernel today.
    congestion: str = "cubic"
    left_out: str = ""

    def in_one_bring_up(self) -> Profile:
        """Return a profile with as many samples of each cell, all in one bring-up."""
        repetitions = {metric: self.bring_ups * count for metric, count in self.repetitions.items()}
        return replace(self, repetitions=repetitions, bring_ups=1)


@dataclass(frozen=True)
class Cell:
    """One point of the grid. `key` names it for good: a resumed run finds its samples by it.

    A cell that `disturbs` shakes the overlay on purpose, e.g. by cutting a
    circuit: that its mode changes meanwhile is no fault of the sample, and before the next one it is given
    time to mend. `rate` is what every link carries (Mbit/s), None where the run did not set it; `congestion`
    is the control of TCP's sender, "" for the kernel's default.
    """

    overlay: str
    metric: str
    params: Mapping[str, Any] = field(default_factory=dict)
    repetitions: int = 1
    seconds: float = 1.0
    warmup: float = 0.0
    disturbs: bool = False
    rate: float | None = None
    congestion: str = ""

    @property
    def key(self) -> str:
        words = [self.overlay, self.metric] + [f"{k}={v}" for k, v in sorted(self.params.items())]
        return "/".join(words)

    @property
    def duration(self) -> float:
        """Duration of one repetition (s), without the tools' own hand-shakes."""
        return self.warmup + self.seconds


@dataclass(frozen=True)
class Reading:
    """Result of one measurement.

    `values` are numbers with their unit in the name; `raw` is the tool's own output, from
    which `Experiment.parse` gives the same values again; `facts` are words about how it ran.
    """

    values: Mapping[str, float]
    raw: str
    argv: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Experiment(ABC):
    """A question of the studies, as a grid of cells and a way to measure one."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    topology: ClassVar[str]
    overlays: ClassVar[tuple[str, ...]]
    #: By one of `overlays`: those that are measured too where this machine cannot supply it.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    profiles: ClassVar[Mapping[str, Profile]]
    #: The reason why it cannot be measured in virtual time, where work takes no time; empty where it can.
    only_in_real_time: ClassVar[str] = ""
    #: How long each metric is measured and thrown away before an overlay's first sample (s); 0: not at all.
    warm_up: ClassVar[float] = 0.0
    #: How often the CPU of every host is read while a sample lasts (s); None: before and after it.
    interval: ClassVar[float | None] = None
    #: The files in which its claims are registered (`lab.report.registered`).
    claims_files: ClassVar[Sequence[Path]] = ()
    #: The verb that measures it in a machine of its own; empty: the verbs that measure on hosts do.
    verb: ClassVar[str] = ""

    @abstractmethod
    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """The grid for one overlay."""

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Get the endpoints ready to measure, e.g. start servers; called once per overlay."""

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Put the endpoints in order again after a failed sample."""
        await self.prepare(endpoints)

    @abstractmethod
    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        """Measure one repetition of one cell; `endpoints` is keyed by host name.

        Raises:
            MeasureError: the tool failed; its raw text is in the error.
        """

    @abstractmethod
    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        """The values in a tool's own output, without measuring again.

        Raises:
            MeasureError: the text is no measurement.
        """
