"""Making the parts of a lab, and writing them down: hosts, their Docker daemons, links.

`lab.emulation.emulation` says what is made and when; here is how, on all hosts side by side.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, replace

from lab import images
from lab.emulation import cleanup
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.daemon import Daemon, client
from lab.emulation.links.link import Wiring
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.veth import Fabric
from lab.emulation.ownership import LabState, Process
from lab.emulation.registry import HostRecord, Record, claim
from lab.emulation.shaper_choice import check_links, choose
from lab.errors import LabError, MachineError
from lab.events import Emit, silent, step
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.hosts.container import ContainerHost, ContainerProcess
from lab.topology import LinkSpec, Topology
from lab.util.concurrency import together

NETNS_MOUNT = "/run/netns"


class Building:
    """What there is of one lab, and the steps that add to it or take from it.

    Args:
        topology: what to build; None for one that grows by `add_docker` and `add_link`.
        name: what people call it; its id where they give it no name.
        shaper: ``netem``, ``wire``, or ``auto`` for the first of them that this kernel has.
        run: what runs this machine's commands (see `lab.hosts.command`).
        emit: told of every step.
        image: what the hosts of a topology are made of, where it does not say.
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        name: str = "",
        shaper: str = "auto",
        run: RunCommand = command.run,
        emit: Emit = silent,
        image: str = host_spec.HOST_IMAGE,
    ) -> None:
        self.topology = topology
        self.hosts: dict[str, ContainerHost] = {}
        self.pids: dict[str, int] = {}
        self.container_ids: dict[str, str] = {}
        self.links: list[LinkSpec] = []
        self.state: LabState | None = None
        self.record = Record("", name)
        self.shaper: Shaper | None = None
        self._asked, self._run, self._emit, self._image = shaper, run, emit, image
        self._kind: type[Shaper] | None = None
        self._fabric: Fabric | None = None
        self._daemon, self._kept = Daemon(emit=emit), False

    @property
    def lab_id(self) -> str:
        """What everything of this lab carries; it is up."""
        return self._state.lab_id

    @property
    def _state(self) -> LabState:
        if self.state is None:
            raise LabError("this lab is not up; start it first")
        return self.state

    def alive(self) -> list[str]:
        """The hosts whose containers run."""
        return [host.name for host in self.record.hosts if host.process.alive()]

    async def _open(self) -> None:
        """Docker, a shaper, and a record: what has to be there before the first host.

        A lab that another process made has the record and its shaper, and still needs Docker.
        """
        if self._kind is not None:
            return
        if os.geteuid() != 0:
            raise MachineError("building a lab needs root: run it with sudo")
        docker = asyncio.ensure_future(asyncio.to_thread(self._docker))
        try:
            self._kind = type(self.shaper) if self.shaper else await choose(self._asked, self._run)
        finally:
            await docker
        if self.state is None:
            self.state = LabState.create()
            self.record = claim(self.state.lab_id, self.record.name)

    def _docker(self) -> None:
        self._daemon.ensure()
        images.ensure(client(), self._emit)

    def _save(self) -> None:
        """Write down what there is now."""
        self.record.links = [asdict(link) for link in self.links]
        self.record.topology = self.topology.to_dict() if self.topology else None
        self.record.hosts = [
            replace(host, addresses=tuple(self.hosts[host.name].addresses)) for host in self.record.hosts
        ]
        self.record.save()

    async def _add(self, plans: Sequence[host_spec.Plan], links: Sequence[LinkSpec]) -> None:
        """Make hosts and links beside those that there are; of what fails nothing stays."""
        if links:
            assert self._kind is not None, "_open chose it"
            check_links(self._kind, links)
        fabric = asyncio.ensure_future(self._open_fabric()) if links else None
        try:
            if plans:
                with step(self._emit, "hosts") as words:
                    await self._start_hosts(plans)
                    words.append(f"{len(plans)} containers")
            await together([self._lay(links, fabric), self._wait_for_docker([p for p in plans if p.socket])])
            self._save()
        except BaseException:
            if set(self.hosts) - {plan.name for plan in plans}:
                await asyncio.shield(self._undo(plans, links))
            raise
        finally:
            if fabric is not None:
                fabric.cancel()
                await asyncio.gather(fabric, return_exceptions=True)

    async def _undo(self, plans: Sequence[host_spec.Plan], links: Sequence[LinkSpec]) -> None:
        """Take away what was begun beside what goes on."""
        await self._clear(links)
        await cleanup.remove_hosts(self._state, [plan.container.name for plan in plans], self._run)
        self._forget_hosts([plan.name for plan in plans])
        self._save()

    async def _start_hosts(self, plans: Sequence[host_spec.Plan]) -> None:
        for plan in plans:
            self._state.record("container", plan.container.name)
            if plan.socket:
                plan.socket.parent.mkdir(parents=True, exist_ok=True)
        started = await containers.start([plan.container for plan in plans], self._run)
        for plan in plans:
            host = _recorded(plan, started[plan.container.name])
            self.record.hosts.append(host)
            self._show(host, {"HOSTNAME": plan.container.hostname, **plan.container.env})

    def _show(self, host: HostRecord, env: Mapping[str, str]) -> None:
        """Make a host of what is recorded of it; one of a user's own image keeps Docker's confinement."""
        self.pids[host.name], self.container_ids[host.name] = host.pid, host.container_id
        inside = (
            None if host.confined else ContainerProcess(host.pid, host.started, tuple(HOST_CAPABILITIES), env)
        )
        self.hosts[host.name] = ContainerHost(
            host.name, host.site, host.addresses, host.container, self._run, inside
        )

    def _forget_hosts(self, names: Sequence[str]) -> None:
        self.record.hosts = [host for host in self.record.hosts if host.name not in names]
        for name in names:
            self.hosts.pop(name, None)
            self.pids.pop(name, None)
            self.container_ids.pop(name, None)

    async def _wait_for_docker(self, plans: Sequence[host_spec.Plan]) -> None:
        if not plans:
            return
        with step(self._emit, "Docker on every host"):
            await together(
                containers.docker_answers(p.socket, p.name, p.container.name, self._run)
                for p in plans
                if p.socket
            )

    async def _lay(self, links: Sequence[LinkSpec], opened: Awaitable[Fabric] | None) -> None:
        """Build links and shape them before anything can send on them."""
        if opened is None:
            return
        with step(self._emit, "links") as words:
            fabric = await opened
            wirings = [Wiring(link, self.pids[link.a], self.pids[link.b]) for link in links]
            await fabric.add_links(wirings)
            words.append(f"{len(links)} links, shaped by {fabric.shaper.name}")
        self.links += links

    async def _clear(self, links: Sequence[LinkSpec]) -> None:
        """Take links away, whole or half built, or cut off by the end of a host."""
        if links and self._fabric is not None:
            await self._fabric.clear_links(links)
        gone = {link.name for link in links}
        self.links = [link for link in self.links if link.name not in gone]

    async def _open_fabric(self) -> Fabric:
        if self._fabric is None:
            state = self._state
            assert self._kind is not None, "_open chose it"
            folder = state.folder / "shaper"
            folder.mkdir()
            self.shaper = self._kind(state.lab_id, folder, self._run)
            self.record.shaper = self.shaper.name
            self._fabric = Fabric(state.lab_id, self.shaper, self._run)
            if not os.path.ismount(NETNS_MOUNT):
                state.record("mount", NETNS_MOUNT)
            state.record("namespace", self._fabric.namespace)
            await self._fabric.create()
        return self._fabric


def _recorded(plan: host_spec.Plan, started: containers.Started) -> HostRecord:
    """A host that was started, as the record has it."""
    return HostRecord(
        plan.name,
        plan.number,
        plan.site,
        tuple(plan.addresses),
        plan.container.name,
        started.id,
        started.pid,
        Process.of(started.pid).started,
        plan.container.confined,
        ("HOSTNAME", *plan.container.env),
    )
