"""What the runner measures on; who made it does not matter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lab.hosts.base import Host
from lab.measure.links import ReadCounters, no_counters
from lab.measure.machine import Machine, Recorder
from lab.topology import Topology


async def nothing_to_check() -> None:
    """For hosts whose links nobody shapes here."""


@dataclass(frozen=True)
class Lab:
    """Hosts on links, up and shaped, and what records the machine and the links around a sample.

    `check` raises a ShaperError when a link is no longer as it was set; it is asked before the first
    sample and after each.
    """

    topology: Topology
    hosts: Mapping[str, Host]
    machine: Recorder = field(default_factory=Machine)
    counters: ReadCounters = no_counters
    check: Callable[[], Awaitable[None]] = nothing_to_check
