"""The parts of a lab, and the steps that make, record and remove them.

`lab.emulation.emulation` says what is made and when; here is how, on all hosts side by side.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from lab.emulation import cleanup
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.links.link import LinkState, Wiring
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.veth import Fabric
from lab.emulation.ownership import LabState, labs, mount_points
from lab.emulation.registry import DOCKER, HostRecord, Record, claim
from lab.emulation.shaper_choice import check_links
from lab.emulation.shaper_choice import find as find_shaper
from lab.errors import LabError
from lab.events import Emit, step
from lab.hosts.base import BaseHost
from lab.hosts.command import RunCommand
from lab.hosts.container import ContainerHost
from lab.hosts.first_process import FirstProcess
from lab.hosts.namespace import NamespaceHost
from lab.topology import LinkSpec, Topology
from lab.util.concurrency import together

NETNS_MOUNT = "/run/netns"


@dataclass
class RunningLab:
    """A lab that is up.

    Attributes:
        record: what other processes read of it.
        topology: what it was made from, or brought to; None for one that grew host by host.
        hosts: by name, ready for commands.
        links: as they were built.
        fabric: what holds its links; None until it has one.
    """

    record: Record
    topology: Topology | None = None
    hosts: dict[str, BaseHost] = field(default_factory=dict)
    links: list[LinkSpec] = field(default_factory=list)
    fabric: Fabric | None = None

    @classmethod
    def of(cls, record: Record, run: RunCommand) -> RunningLab:
        """Attach to a lab that another process made."""
        topology = Topology.from_dict(record.topology) if record.topology else None
        lab = cls(record, topology, links=[LinkSpec(**link) for link in record.links])
        for host in record.hosts:
            lab.add_host(host, host.environment(), run)
        if record.shaper:
            shaper = find_shaper(record.shaper)(record.lab_id, lab.state.folder / "shaper", run)
            lab.fabric = Fabric(record.lab_id, shaper, run)
        return lab

    @property
    def state(self) -> LabState:
        """The list of what it owns on this machine."""
        return self.record.state

    @property
    def pids(self) -> dict[str, int]:
        """The first process of every host."""
        return {host.name: host.pid for host in self.record.hosts}

    @property
    def shaper(self) -> Shaper:
        """The shaper of its links.

        Raises:
            LabError: it has no links.
        """
        if self.fabric is None:
            raise LabError(f"lab {self.record.name} has no links")
        return self.fabric.shaper

    @property
    def link_states(self) -> Mapping[str, LinkState]:
        """The present state of each link, by its name."""
        return self.fabric.shaper.states if self.fabric else {}

    def add_host(self, host: HostRecord, env: Mapping[str, str], run: RunCommand) -> None:
        """Make a host of what is recorded of it; one of a user's own image keeps Docker's confinement."""
        process = FirstProcess(host.pid, host.started, tuple(HOST_CAPABILITIES), env)
        if host.light:
            self.hosts[host.name] = NamespaceHost(host.name, host.site, host.addresses, process, run)
        else:
            self.hosts[host.name] = ContainerHost(
                host.name, host.site, host.addresses, host.container, run, None if host.confined else process
            )

    def forget_hosts(self, names: Sequence[str]) -> None:
        """Know some hosts no longer."""
        self.record.hosts = [host for host in self.record.hosts if host.name not in names]
        for name in names:
            self.hosts.pop(name, None)

    def save(self) -> None:
        """Write down what there is now."""
        self.record.links = [asdict(link) for link in self.links]
        self.record.topology = self.topology.to_dict() if self.topology else None
        self.record.hosts = [
            replace(host, addresses=tuple(self.hosts[host.name].addresses)) for host in self.record.hosts
        ]
        self.record.save()


class NewHosts(Protocol):
    """New hosts, all of one kind; `kind` is their name in messages."""

    kind: str

    @property
    def names(self) -> Sequence[str]: ...

    async def start(self, state: LabState, run: RunCommand) -> list[tuple[HostRecord, Mapping[str, str]]]:
        """Start them, each written down before; returns the record of each and its commands' variables."""
        ...

    async def ready(self, run: RunCommand, emit: Emit) -> None:
        """Wait until they can be used."""
        ...

    async def undo(self, state: LabState, run: RunCommand) -> None:
        """Remove their existing parts."""
        ...


def new_lab(name: str, daemons: str = DOCKER) -> RunningLab:
    """Claim an id, and a name, for a lab of this process.

    Raises:
        LabError: the name is that of another lab, or is no name.
    """
    state = LabState.create()
    try:
        return RunningLab(claim(state.lab_id, name, daemons))
    except BaseException:
        state.forget()
        raise


class Builder:
    """The steps that add hosts and links to a lab, or take them from it.

    Args:
        lab: the lab.
        shaper: the kind of shaper that its links get.
        run: what runs this machine's commands.
        emit: told of every step.
    """

    def __init__(self, lab: RunningLab, shaper: type[Shaper], run: RunCommand, emit: Emit) -> None:
        self.lab, self._kind, self._run, self._emit = lab, shaper, run, emit

    async def add(self, hosts: NewHosts, links: Sequence[LinkSpec]) -> None:
        """Add hosts and links to the existing ones; on a failure, remove the new ones again."""
        if links:
            check_links(self._kind, links)
        fabric = asyncio.ensure_future(self.open_fabric()) if links else None
        try:
            if hosts.names:
                with step(self._emit, "hosts") as words:
                    await self._start_hosts(hosts)
                    words.append(f"{len(hosts.names)} {hosts.kind}")
            await together([self._add_links(links, fabric), hosts.ready(self._run, self._emit)])
            self.lab.save()
        except BaseException:
            if set(self.lab.hosts) - set(hosts.names):
                await asyncio.shield(self._undo(hosts, links))
            raise
        finally:
            if fabric is not None:
                fabric.cancel()
                await asyncio.gather(fabric, return_exceptions=True)

    async def _undo(self, hosts: NewHosts, links: Sequence[LinkSpec]) -> None:
        """Remove the new parts, and keep the running ones."""
        await self.remove_links(links)
        await hosts.undo(self.lab.state, self._run)
        self.lab.forget_hosts(hosts.names)
        self.lab.save()

    async def _start_hosts(self, hosts: NewHosts) -> None:
        for host, env in await hosts.start(self.lab.state, self._run):
            self.lab.record.hosts.append(host)
            self.lab.add_host(host, env, self._run)

    async def _add_links(self, links: Sequence[LinkSpec], opened: Awaitable[Fabric] | None) -> None:
        """Build links and shape them before anything can send on them."""
        if opened is None:
            return
        with step(self._emit, "links") as words:
            fabric, pids = await opened, self.lab.pids
            await fabric.add_links([Wiring(link, pids[link.a], pids[link.b]) for link in links])
            words.append(f"{len(links)} links, shaped by {fabric.shaper.name}")
        self.lab.links += links

    async def remove_links(self, links: Sequence[LinkSpec]) -> None:
        """Remove links: complete ones, half built ones, and those whose host ended."""
        if links and self.lab.fabric is not None:
            await self.lab.fabric.clear_links(links)
        gone = {link.name for link in links}
        self.lab.links = [link for link in self.lab.links if link.name not in gone]

    async def remove_hosts(self, names: Sequence[str]) -> None:
        """Take hosts and all their links away, while the others go on."""
        lab = self.lab
        await self.remove_links([link for link in lab.links if {link.a, link.b} & set(names)])
        going = [host for host in lab.record.hosts if host.name in names]
        await cleanup.remove_hosts(lab.state, going, self._run)
        for host in going:
            shutil.rmtree(lab.state.shared(host.number), ignore_errors=True)
        lab.forget_hosts(names)
        lab.save()

    async def open_fabric(self) -> Fabric:
        """Make the lab's network namespace, and its shaper ready, where no link has needed them yet."""
        lab = self.lab
        if lab.fabric is None:
            folder = lab.state.folder / "shaper"
            folder.mkdir()
            shaper = self._kind(lab.state.lab_id, folder, self._run)
            lab.record.shaper = shaper.name
            lab.fabric = Fabric(lab.state.lab_id, shaper, self._run)
            others = (other.owned("mount") for other in labs())
            # of labs that use it the last one takes it away
            if NETNS_MOUNT not in mount_points() or any(NETNS_MOUNT in mounts for mounts in others):
                lab.state.record("mount", NETNS_MOUNT)
            lab.state.record("namespace", lab.fabric.namespace)
            await lab.fabric.create()
        return lab.fabric
