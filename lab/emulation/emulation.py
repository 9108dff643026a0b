"""A lab on this machine: hosts, their Docker daemons, shaped links. Up, and down without a trace.

Every step works on all hosts side by side. The order: containers (their process ids carry
the links) and the links' own namespace with its shaper; then links and the daemons inside.

A lab belongs to the process that made it, and goes with it, until `keep` says that it stays up.
Any process can take it up with `attach`: what that needs is in the lab's record.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from lab.emulation import cleanup
from lab.emulation.builder import Building
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.image_store import endpoint_seed
from lab.emulation.links.control import Links
from lab.emulation.links.link import LinkState
from lab.emulation.links.veth import Fabric
from lab.emulation.ownership import LabState
from lab.emulation.reconcile import Difference, difference
from lab.emulation.registry import Record, find
from lab.emulation.shaper_choice import find as find_shaper
from lab.errors import LabError, TopologyError, UnknownName
from lab.events import Emit, silent, step
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.hosts.container import ContainerHost
from lab.topology import LinkSpec, Topology
from lab.util.concurrency import together


class Emulation(Building):
    """One lab. ``async with Emulation(topology) as lab: lab.hosts["AMS"].run([...])``; see `Building`."""

    @classmethod
    def attach(cls, which: str = "", *, run: RunCommand = command.run, emit: Emit = silent) -> Emulation:
        """Take up a lab that is up, by its name or id; it stays whosever it is.

        To look at it costs next to nothing. Who changes it holds its `lab.util.locks.lab_lock` meanwhile.

        Raises:
            UnknownName: there is no such lab.
            LabError: it was not named and there is not exactly one, or the machine was restarted.
        """
        record = find(which)
        if record.rebooted:
            raise LabError(
                f"lab {record.name} ended when this machine was restarted; "
                f"'lab down {record.name}' takes away what is left of it"
            )
        topology = Topology.from_dict(record.topology) if record.topology else None
        lab = cls(topology, name=record.name, run=run, emit=emit)
        lab._take_up(record)
        return lab

    def _take_up(self, record: Record) -> None:
        self.record, self.state = record, record.state
        self.links = [LinkSpec(**link) for link in record.links]
        for host in record.hosts:
            self._show(host, host.environment())
        if record.shaper:
            self.shaper = find_shaper(record.shaper)(record.lab_id, self._state.folder / "shaper", self._run)
            self._fabric = Fabric(record.lab_id, self.shaper, self._run)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    def keep(self) -> None:
        """Let the lab stay up when this process ends, or the block that it was made for."""
        self._state.keep()
        self._kept = True

    def own(self) -> None:
        """Make the lab this process's own: should it be killed, clean-up takes the lab away."""
        self._state.own(os.getpid())

    async def __aenter__(self) -> Emulation:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._kept:
            await asyncio.to_thread(self._daemon.release)
        else:
            await self.down()

    async def up(self) -> None:
        """Build the whole topology; on any error or interruption, nothing is left.

        Raises:
            LabError: the name is that of another lab.
            MachineError: the machine lacks something; nothing was made.
            HostError: a host or its Docker daemon did not come up.
            ShaperError: a link could not be shaped as asked.
        """
        try:
            await self._open()
            if self.topology is not None:
                self.topology = self.topology.pinned()
                seed = await asyncio.to_thread(endpoint_seed, self._emit)
                plans = host_spec.plans(self._state, self.topology, seed, self._image)
                await self._add(plans, self.topology.links)
        except BaseException:
            await asyncio.shield(self.down())
            raise

    async def down(self) -> None:
        """Take everything off the machine again; twice is as good as once."""
        if self.state is not None:
            await self._remove(self.state)
        await asyncio.to_thread(self._daemon.release)

    async def _remove(self, state: LabState) -> None:
        if self.shaper is not None:
            await self.shaper.close()
        await asyncio.to_thread(self._daemon.revive)
        with step(self._emit, "teardown") as words:
            done = await cleanup.remove(state, self._run)
            words.append(f"{len(done)} objects")
        self.state, self.shaper, self._fabric, self._kind = None, None, None, None
        self.record = Record("", self.record.name)
        self.hosts, self.pids, self.container_ids, self.links = {}, {}, {}, []

    async def add_docker(self, name: str, *, image: str | None = None, **params: Any) -> ContainerHost:
        """Add one host: the lab's own kind, or a plain container of `image` (see `hostplan.plain`)."""
        if name in self.hosts:
            raise TopologyError(f"host {name!r} is there already; give another name")
        await self._open()
        await self._add([await self._plan(name, image, params)], [])
        return self.hosts[name]

    async def _plan(self, name: str, image: str | None, params: Mapping[str, Any]) -> host_spec.Plan:
        number = 1 + max((host.number for host in self.record.hosts), default=0)
        if image not in (None, host_spec.HOST_IMAGE):
            return replace(host_spec.plain(self._state, name, str(image), params), number=number)
        seed = await asyncio.to_thread(endpoint_seed, self._emit)
        site = params.get("site", name)
        return host_spec.host(self._state, name, number, site, (), seed, params=params)

    async def add_link(self, a: str, b: str, **params: Any) -> LinkSpec:
        """Add one link between two hosts that are there; `params` as a topology's edge has them."""
        self._known(a, b)
        numbers = {host.name: host.number for host in self.record.hosts}
        spec = host_spec.next_link(numbers, self.links, a, b, params)
        await self._open()
        await self._add([], [spec])
        return spec

    def _known(self, *names: str) -> None:
        for name in names:
            if name not in self.hosts:
                raise UnknownName("host", name, self.hosts)

    async def remove_docker(self, *names: str) -> None:
        """Take hosts and all their links away, while the others go on.

        Raises:
            UnknownName: there is no such host.
        """
        self._known(*names)
        await self._open()
        await self._clear([link for link in self.links if {link.a, link.b} & set(names)])
        await cleanup.remove_hosts(self._state, [self.hosts[name].container for name in names], self._run)
        for host in self.record.hosts:
            if host.name in names:
                shutil.rmtree(self._state.shared(host.number), ignore_errors=True)
        self._forget_hosts(names)
        self._save()

    async def remove_link(self, name: str) -> None:
        """Take one link away, with its interfaces.

        Raises:
            UnknownName: there is no such link.
        """
        link = self.link(name)
        await self._open()
        await self._clear([link])
        self._save()

    def link(self, name: str, other: str = "") -> LinkSpec:
        """The link of this name, or the one between two hosts.

        Raises:
            UnknownName: there is none.
        """
        known = {link.name: link for link in self.links}
        for link in self.links:
            if other and {link.a, link.b} == {name, other}:
                return link
        if other or name not in known:
            raise UnknownName("link", f"{name}-{other}" if other else name, known)
        return known[name]

    def running_links(self) -> Links:
        """The links, to be changed, cut and joined while they run.

        Raises:
            LabError: there are none.
        """
        if self.shaper is None or self._fabric is None:
            raise LabError(f"lab {self.name} has no links")
        return Links(self._fabric.namespace, self.shaper, self.links, self._run)

    async def change_link(self, name: str, **params: Any) -> LinkState:
        """Change a running link; see `Links.change`."""
        return await self.running_links().change(name, params)

    def compare(self, wanted: Topology) -> Difference:
        """What leads from what runs to the topology that is wanted; nothing is done.

        Raises:
            TopologyError: the lab was not made from a topology.
        """
        if self.topology is None:
            raise TopologyError(f"lab {self.name} was made without a topology that another could differ from")
        lines = self.shaper.states if self.shaper else {}
        return difference(self.topology, wanted, links=self.links, lines=lines, alive=self.alive())

    async def become(self, change: Difference) -> None:
        """Do what `compare` found, and nothing else: what stays goes on undisturbed.

        Raises:
            LabError: a step failed. What it had begun is taken away again, and the record has what
                there is then: to do the same once more goes on from there.
        """
        await self._open()
        await self._clear_for(change)
        await self._bring(change)
        self.topology = change.topology
        self._save()
        await together(self._reshape(one.link, one.values) for one in change.reshaped)
        await together(self.running_links().set_up(link) for link in change.joined)
        await together(self._set_cpus(name, cpus) for name, cpus in (change.cpus or {}).items())
        for host in self.hosts.values():
            host.addresses = change.topology.addresses(host.name)
        self._save()

    async def _clear_for(self, change: Difference) -> None:
        """Take away what goes, and what a killed command may have left of what is to come."""
        await self._clear([*change.links_go, *change.links_come])
        come = [host.name for host in change.hosts_come]
        if going := [name for name in dict.fromkeys([*change.hosts_go, *come]) if name in self.hosts]:
            with step(self._emit, "hosts that go") as words:
                await self.remove_docker(*going)
                words.append(f"{len(going)} containers")
        half = [host_spec.container_name(self._state, name) for name in come]
        await cleanup.remove_hosts(self._state, half, self._run)

    async def _bring(self, change: Difference) -> None:
        if not (change.hosts_come or change.links_come):
            return
        seed = await asyncio.to_thread(endpoint_seed, self._emit)
        names = {host.name for host in change.hosts_come}
        await self._add(host_spec.plans(self._state, change.topology, seed, only=names), change.links_come)

    async def _reshape(self, link: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        assert self.shaper is not None, "a link has a shaper"
        for direction, params in values.items():
            await self.shaper.change(link, directions=(direction,), **params)

    async def _set_cpus(self, name: str, cpus: float | None) -> None:
        argv = containers.cpu_argv(cpus) if cpus else ["--cpu-quota=-1"]
        await self._run(["docker", "update", *argv, self.hosts[name].container])

    async def versions(self) -> dict[str, str]:
        """What runs outside and inside: Docker's versions, and the images of the hosts."""
        outside = await self._run(["docker", "version", "--format", "{{.Server.Version}}"])
        first = next(iter(self.hosts.values()))
        inside = ".".join(map(str, (await first.facts()).docker))
        shown = ["--no-trunc", "--format", "{{.Repository}} {{.ID}}", "lab/*"]
        ids = await self._run(["docker", "image", "ls", *shown])
        found = dict(line.split() for line in ids.stdout.splitlines())
        return {"docker": outside.stdout.strip(), "docker on hosts": inside, **found}
