"""What the runner measures on; who made it does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.hosts.base import Host
from lab.measure.links import ReadCounters, no_counters
from lab.measure.machine import Machine, Recorder
from lab.topology import Topology


@dataclass(frozen=True)
class Lab:
    """Hosts on links, up and shaped, and what records the machine and the links around a sample."""

    topology: Topology
    hosts: Mapping[str, Host]
    machine: Recorder = field(default_factory=Machine)
    counters: ReadCounters = no_counters
