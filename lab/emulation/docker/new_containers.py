"""Containers that are to become hosts: started side by side, and waited for until their daemons answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.emulation import cleanup
from lab.emulation.docker import containers
from lab.emulation.docker.host_spec import Plan
from lab.emulation.ownership import LabState, Process
from lab.emulation.registry import HostRecord
from lab.events import Emit, step
from lab.hosts.command import RunCommand
from lab.util.concurrency import together


@dataclass(frozen=True)
class NewContainers:
    """Hosts that are containers, to be made."""

    plans: Sequence[Plan]
    kind = "containers"

    @property
    def names(self) -> list[str]:
        """The names of the hosts."""
        return [plan.name for plan in self.plans]

    async def start(self, state: LabState, run: RunCommand) -> list[tuple[HostRecord, Mapping[str, str]]]:
        """Start all of them; returns the record of each, and the variables of its commands.

        Raises:
            HostError: a container ended at once.
        """
        for plan in self.plans:
            state.record("container", plan.container.name)
            if plan.socket:
                plan.socket.parent.mkdir(parents=True, exist_ok=True)
        started = await containers.start([plan.container for plan in self.plans], run)
        return [self._made(plan, started[plan.container.name]) for plan in self.plans]

    def _made(self, plan: Plan, first: containers.Started) -> tuple[HostRecord, Mapping[str, str]]:
        spec = plan.container
        host = HostRecord(
            plan.name,
            plan.number,
            plan.site,
            plan.addresses,
            spec.name,
            first.id,
            first.pid,
            Process.of(first.pid).started,
            spec.confined,
            ("HOSTNAME", *spec.env),
        )
        return host, {"HOSTNAME": spec.hostname, **spec.env}

    async def ready(self, run: RunCommand, emit: Emit) -> None:
        """Wait until the Docker daemon on each answers.

        Raises:
            HostTimeout: one does not.
        """
        if waiting := [(plan, plan.socket) for plan in self.plans if plan.socket]:
            with step(emit, "Docker on every host"):
                await together(
                    containers.docker_answers(socket, plan.name, plan.container.name, run)
                    for plan, socket in waiting
                )

    async def undo(self, state: LabState, run: RunCommand) -> None:
        """Remove the existing parts of these hosts, also of hosts without a record."""
        await cleanup.remove_containers(state, [plan.container.name for plan in self.plans], run)
