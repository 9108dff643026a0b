"""A lab on this machine: hosts, their Docker daemons and shaped links, built and completely removed.

Every step works on all hosts at the same time. First come the hosts (links need their process
ids) and the links' own namespace with its shaper. Then come the links and the daemons on the hosts.

A lab belongs to the process that made it and ends with that process, unless `keep` was called.
Any process can take over a lab that is up with `attach`: the lab's record has all that this needs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from lab import images
from lab.emulation import cleanup
from lab.emulation.builder import Builder, NewHosts, RunningLab, new_lab
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.daemon import Daemon, client
from lab.emulation.docker.image_store import endpoint_store
from lab.emulation.docker.new_containers import NewContainers
from lab.emulation.light import hosts as light
from lab.emulation.links import netns
from lab.emulation.links.control import Links
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.veth import Fabric
from lab.emulation.ownership import LabState
from lab.emulation.reconcile import Difference, difference
from lab.emulation.registry import DAEMONS, DOCKER, NONE, Record, find
from lab.emulation.shaper_choice import choose
from lab.errors import LabError, MachineError, TopologyError, UnknownName
from lab.events import Emit, silent, step
from lab.hosts import command
from lab.hosts.base import BaseHost
from lab.hosts.command import RunCommand
from lab.images import roots
from lab.topology import HostSpec, LinkSpec, Topology
from lab.util.concurrency import together


class Emulation:
    """One lab. ``async with Emulation(topology) as lab: lab.hosts["AMS"].run([...])``.

    While the lab is up, this has the parts of a `RunningLab`: `record`, `state`, `shaper`, …. Before and
    afterwards these raise `LabError`, and `hosts` and `links` are empty.

    Args:
        topology: the network to build; None for a lab that grows by `add_docker`.
        name: the name that people use for the lab; without one, its id.
        shaper: ``netem``, ``wire``, or ``auto`` for the first of them that this kernel has.
        run: runs this machine's commands (see `lab.hosts.command`).
        emit: receives an event for every step.
        image: the image of those hosts for which the topology names none.
        daemons: ``docker``, a Docker daemon on each host, or ``none``: light hosts, which are namespaces and
            no containers.
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
        daemons: str = DOCKER,
    ) -> None:
        if daemons not in DAEMONS:
            raise UnknownName("daemons of hosts", daemons, DAEMONS)
        self.name, self.run = name, run
        self._topology, self._shaper, self._emit, self._image = topology, shaper, emit, image
        self.daemons = daemons
        self.docker, self._kept = Daemon(emit=emit), False
        self._lab: RunningLab | None = None
        self._builder: Builder | None = None

    @classmethod
    def attach(cls, which: str = "", *, run: RunCommand = command.run, emit: Emit = silent) -> Emulation:
        """Return the running lab of this name or id; its owner stays the same.

        Attaching is cheap. A caller that changes the lab must hold its `lab.util.locks.lab_lock` meanwhile.

        Raises:
            UnknownName: there is no such lab.
            LabError: no name was given and not exactly one lab is up, or the machine was restarted.
        """
        record = find(which)
        if record.rebooted:
            raise LabError(
                f"lab {record.name} ended when this machine was restarted; "
                f"'lab down {record.name}' removes the rest of it"
            )
        lab = cls(name=record.name, run=run, emit=emit, daemons=record.daemons)
        lab._lab = RunningLab.of(record, run)
        return lab

    @property
    def running(self) -> RunningLab:
        """The parts of the lab.

        Raises:
            LabError: it is not up.
        """
        if self._lab is None:
            raise LabError("this lab is not up; start it first")
        return self._lab

    @property
    def is_up(self) -> bool:
        """True from `open`, `up` or `attach` to `down`."""
        return self._lab is not None

    @property
    def lab_id(self) -> str:
        """The id that everything of this lab carries."""
        return self.running.record.lab_id

    @property
    def topology(self) -> Topology | None:
        """The topology that it is made from; None for one that grows host by host."""
        return self._lab.topology if self._lab else self._topology

    @property
    def record(self) -> Record:
        return self.running.record

    @property
    def state(self) -> LabState:
        return self.running.state

    @property
    def hosts(self) -> dict[str, BaseHost]:
        return self._lab.hosts if self._lab else {}

    @property
    def pids(self) -> dict[str, int]:
        return self.running.pids

    @property
    def containers(self) -> dict[str, str]:
        """The container of every host that is one."""
        return {host.name: host.container for host in self.record.hosts if not host.light}

    @property
    def container_ids(self) -> dict[str, str]:
        """Docker's id of the container of every host that is one."""
        return {host.name: host.container_id for host in self.record.hosts if not host.light}

    @property
    def links(self) -> list[LinkSpec]:
        return self._lab.links if self._lab else []

    @property
    def shaper(self) -> Shaper:
        """The shaper of its links. Raises LabError when it has none."""
        return self.running.shaper

    def alive(self) -> list[str]:
        """The hosts that run."""
        return [host.name for host in self.record.hosts if host.process.alive()]

    def keep(self) -> None:
        """Let the lab stay up when this process ends, or the block that it was made for."""
        self.state.keep()
        self._kept = True

    async def __aenter__(self) -> Emulation:
        await self.up()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None and self._kept:
            await asyncio.to_thread(self.docker.release)
        else:
            await self.down()

    async def up(self) -> None:
        """Build the whole topology; on any error or interruption, remove all of it again.

        Raises:
            LabError: the name is that of another lab.
            TopologyError: hosts without Docker cannot be what it asks for; nothing was made.
            MachineError: the machine lacks something; nothing was made.
            HostError: a host or its Docker daemon did not come up.
            ShaperError: a link could not be shaped as asked.
        """
        if self.daemons == NONE and self._topology is not None:
            light.refuse(self._topology, self._image)
        try:
            build = await self.open()
            if self._topology is not None:
                topology = build.lab.topology = self._topology.pinned()
                await build.add(await self._new_hosts(topology), topology.links)
        except BaseException:
            await asyncio.shield(self.down())
            raise

    async def open(self) -> Builder:
        """Prepare all that must exist before the first host, and return the builder of the lab.

        That is Docker, a shaper and a record. A lab that another process made already has its record and
        its shaper, and needs only Docker. Light hosts need the images' files in place of it.

        Raises:
            LabError: the name is that of another lab.
            MachineError: the machine lacks something; nothing was made.
        """
        if self._builder is None:
            if os.geteuid() != 0:
                raise MachineError("building a lab needs root: run it with sudo")
            served = asyncio.ensure_future(asyncio.to_thread(self._prepare))
            try:
                fabric = self._lab.fabric if self._lab else None
                shaper = type(fabric.shaper) if fabric else await choose(self._shaper, self.run)
            finally:
                await served
            self._lab = self._lab or new_lab(self.name, self.daemons)
            self.name = self._lab.record.name
            self._builder = Builder(self._lab, shaper, self.run, self._emit)
        return self._builder

    def _prepare(self) -> None:
        """Provide the images and programs of hosts."""
        if self.daemons == NONE:
            light.image_roots(self._emit)
        else:
            self.docker.ensure()
            images.ensure(client(), self._emit)

    async def _new_hosts(self, topology: Topology, only: Collection[str] | None = None) -> NewHosts:
        """Plan the hosts of a topology, or some of them."""
        if self.daemons == NONE:
            return light.new_hosts(topology, light.image_roots(self._emit), only)
        store = await asyncio.to_thread(endpoint_store, self._emit)
        return NewContainers(host_spec.plans(self.state, topology, store, self._image, only))

    async def open_fabric(self) -> Fabric:
        """Return the fabric that holds the lab's links; make it if the lab has none yet."""
        return await (await self.open()).open_fabric()

    async def down(self) -> None:
        """Remove the whole lab from the machine. Doing it twice changes nothing."""
        if (lab := self._lab) is not None:
            if lab.fabric is not None:
                await lab.fabric.shaper.close()
            await asyncio.to_thread(self.docker.revive)
            with step(self._emit, "teardown") as words:
                done = await cleanup.remove(lab.state, self.run)
                words.append(f"{len(done)} objects")
            self._lab = self._builder = None
        await asyncio.to_thread(self.docker.release)

    async def add_docker(self, name: str, *, image: str | None = None, **params: Any) -> BaseHost:
        """Add one host: the lab's own kind, or a plain container of `image` (see `host_spec.plain`).

        Raises:
            TopologyError: there is a host of this name, or hosts of this lab are no containers.
        """
        if self.daemons == NONE:
            raise TopologyError(
                f"host {name!r} cannot be added to lab {self.name}, whose hosts are no containers; make it "
                "of hosts with Docker daemons"
            )
        build = await self.open()
        if name in self.hosts:
            raise TopologyError(f"host {name!r} is there already; give another name")
        number = 1 + max((host.number for host in self.record.hosts), default=0)
        if image not in (None, host_spec.HOST_IMAGE):
            plan = replace(host_spec.plain(self.state, name, str(image), params), number=number)
        else:
            store = await asyncio.to_thread(endpoint_store, self._emit)
            spec = HostSpec(name, number, params.get("site", name))
            plan = host_spec.host(self.state, spec, (), store, params=params)
        await build.add(NewContainers([plan]), [])
        return self.hosts[name]

    async def remove_docker(self, *names: str) -> None:
        """Remove hosts and all their links; the other hosts keep running.

        Raises:
            UnknownName: there is no such host.
        """
        for name in names:
            if name not in self.hosts:
                raise UnknownName("host", name, self.hosts)
        await (await self.open()).remove_hosts(names)

    def link(self, name: str, other: str = "") -> LinkSpec:
        """Return the link of this name, or the link between two hosts.

        Raises:
            LabError: there is no such link (`UnknownName`), or the lab has no links.
        """
        return self.running_links().find(f"{name}-{other}" if other else name)

    def running_links(self) -> Links:
        """Return the control of the links, which changes them and sets them down and up while they run.

        Raises:
            LabError: the lab has no links.
        """
        return Links(netns.of_lab(self.lab_id), self.shaper, self.links, self.run)

    def compare(self, wanted: Topology) -> Difference:
        """Return the difference between the running lab and a wanted topology; change nothing.

        Raises:
            TopologyError: the lab was not made from a topology.
        """
        if self.topology is None:
            raise TopologyError(f"lab {self.name} was made without a topology that another could differ from")
        return difference(
            self.topology, wanted, links=self.links, states=self.running.link_states, alive=self.alive()
        )

    async def become(self, change: Difference) -> None:
        """Carry out a difference that `compare` returned; hosts and links that stay are not disturbed.

        Raises:
            LabError: a step failed. The part that it had begun is removed again, and the record has what
                there is then. Repeating the change continues from there.
        """
        if self.daemons == NONE:
            light.refuse(change.topology)
        build = await self.open()
        new = await self._new_hosts(change.topology, {host.name for host in change.hosts_added})
        await self._clear_for(build, change, new)
        if new.names or change.links_added:
            await build.add(new, change.links_added)
        build.lab.topology = change.topology
        build.lab.save()
        await together(self._reshape(one.link, one.values) for one in change.reshaped)
        await together(self.running_links().set_up(link) for link in change.links_up)
        await together(self._set_cpus(name, cpus) for name, cpus in change.cpus.items())
        for host in self.hosts.values():
            host.addresses = change.topology.addresses(host.name)
        build.lab.save()

    async def _clear_for(self, build: Builder, change: Difference, new: NewHosts) -> None:
        """Remove what goes, and what a killed command may have left of hosts and links to be added."""
        await build.remove_links([*change.links_removed, *change.links_added])
        if going := [h for h in dict.fromkeys([*change.hosts_removed, *new.names]) if h in self.hosts]:
            with step(self._emit, "hosts that go") as words:
                await build.remove_hosts(going)
                words.append(f"{len(going)} {new.kind}")
        await new.undo(self.state, self.run)

    async def _reshape(self, link: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        for direction, params in values.items():
            await self.shaper.change(link, directions=(direction,), **params)

    async def _set_cpus(self, name: str, cpus: float | None) -> None:
        argv = containers.cpu_argv(cpus) if cpus else ["--cpu-quota=-1"]
        await self.run(["docker", "update", *argv, self.containers[name]])

    async def versions(self) -> dict[str, str]:
        """Return the versions of Docker on this machine and on a host, and the ids of the lab's images.

        Light hosts have no Docker; of the images' files there is the hash of what they are made from.
        """
        if self.daemons == NONE:
            return {"root file systems": roots.inputs()}
        outside = await self.run(["docker", "version", "--format", "{{.Server.Version}}"])
        first = next(iter(self.hosts.values()))
        inside = ".".join(map(str, (await first.facts()).docker))
        shown = ["--no-trunc", "--format", "{{.Repository}} {{.ID}}", "lab/*"]
        ids = await self.run(["docker", "image", "ls", *shown])
        tagged = dict(line.split() for line in ids.stdout.splitlines())
        return {"docker": outside.stdout.strip(), "docker on hosts": inside, **tagged}
