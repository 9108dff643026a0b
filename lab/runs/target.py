"""Target of a run: the hosts and links that it measures on, emulated or real."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from lab.hosts.host import Endpoint, Host
from lab.measure.link_counters import ReadCounters, no_counters
from lab.measure.machine import MachineRecorder, Recorder
from lab.runs.sample import Clock
from lab.topology import Topology
from overlays.base import Overlay

#: A context in which an overlay is on the hosts: its name, itself, its endpoints, and its mode.
WhileUp = Callable[[str, Overlay, Iterable[Endpoint], Mapping[str, str]], AbstractContextManager[None]]


async def nothing_to_check() -> None:
    """For hosts whose links the lab does not shape."""


def nobody_looks(
    name: str, overlay: Overlay, endpoints: Iterable[Endpoint], mode: Mapping[str, str]
) -> AbstractContextManager[None]:
    """For hosts of a lab that has no record."""
    return nullcontext()


async def no_cost() -> Mapping[str, float]:
    """For links that cost no process anything."""
    return {}


class Script(Protocol):
    """Changes of the links while an overlay is measured; begins when entered, is undone when left."""

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def trouble(self) -> str:
        """The reason why it ended before its time; empty when it did not."""
        ...

    def since(self, moment: float) -> Sequence[str]:
        """Return what changed since a moment (monotonic clock, s), in words."""
        return ()

    def record(self) -> list[dict[str, Any]]:
        """Return all that happened, to be stored with the run."""
        return []


class NoScript(Script):
    """A script in which nothing happens."""

    trouble = ""


@dataclass(frozen=True)
class RunTarget:
    """Hosts on links, up and shaped, and what records the machine and the links around a sample.

    `check` raises a ShaperError when a link is no longer as it was set; it is asked before the first
    sample and after each.
    """

    topology: Topology
    hosts: Mapping[str, Host]
    machine: Recorder = field(default_factory=MachineRecorder)
    counters: ReadCounters = no_counters
    check: Callable[[], Awaitable[None]] = nothing_to_check
    #: What imposes the links used itself since it began (`cpu_seconds`), where that is not the kernel's work.
    cost: Callable[[], Awaitable[Mapping[str, float]]] = no_cost
    #: Makes what happens to the links, anew for each overlay.
    script: Callable[[], Script] = NoScript
    #: Lets those who look at the lab know an overlay while it is measured.
    while_up: WhileUp = nobody_looks
    #: The clock of the hosts, and what work costs in virtual time (see `Sample`).
    clock: Clock = "real"
    costs: Mapping[str, float] = field(default_factory=dict)
    #: Links that are not what was asked, in words, and that the user accepted: every sample says so.
    accepted: Sequence[str] = ()
