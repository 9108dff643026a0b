"""A lab on this machine: hosts, their Docker daemons, shaped links. Up, and down without a trace.

Every step works on all hosts side by side. The order: containers (their process ids carry
the links) and the links' own namespace with its shaper; then links and the daemons inside.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Any

from lab import images
from lab.emulation import cleanup, containers, hostplan
from lab.emulation.daemon import Daemon, client
from lab.emulation.fabric import Fabric
from lab.emulation.seed import endpoint_seed
from lab.emulation.shape import Wiring
from lab.emulation.shaper import Shaper, choose
from lab.emulation.state import Process, State
from lab.errors import LabError, MachineError, TopologyError, UnknownName
from lab.events import Emit, silent, step
from lab.hosts import process
from lab.hosts.container import ContainerHost, Inside
from lab.hosts.process import Run
from lab.together import together
from lab.topology import LinkSpec, Topology

NETNS_MOUNT = "/run/netns"


class Emulation:
    """One lab. ``async with Emulation(topology) as lab: lab.hosts["AMS"].run([...])``.

    Args:
        topology: what to build; None for one that grows by `add_docker` and `add_link`.
        shaper: ``netem``, ``wire``, or ``auto`` for the first of them that this kernel has.
        run: what runs this machine's commands (see `lab.hosts.process`).
        emit: told of every step.
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        shaper: str = "auto",
        run: Run = process.run,
        emit: Emit = silent,
    ) -> None:
        self.topology = topology
        self.hosts: dict[str, ContainerHost] = {}
        self.pids: dict[str, int] = {}
        self.container_ids: dict[str, str] = {}
        self.links: list[LinkSpec] = []
        self.state: State | None = None
        self.shaper: Shaper | None = None
        self._asked, self._run, self._emit = shaper, run, emit
        self._kind: type[Shaper]
        self._fabric: Fabric | None = None
        self._daemon = Daemon(emit=emit)

    async def __aenter__(self) -> Emulation:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Build the whole topology; on any error or interruption, nothing is left.

        Raises:
            MachineError: the machine lacks something; nothing was made.
            HostError: a host or its Docker daemon did not come up.
            ShaperError: a link could not be shaped as asked.
        """
        try:
            await self._open()
            if self.topology is not None:
                seed = await asyncio.to_thread(endpoint_seed, self._emit)
                await self._add(hostplan.plans(self._state, self.topology, seed), self.topology.links)
        except BaseException:
            await asyncio.shield(self.down())
            raise

    async def down(self) -> None:
        """Take everything off the machine again; twice is as good as once."""
        if self.state is not None:
            await self._remove(self.state)
        await asyncio.to_thread(self._daemon.release)

    async def _remove(self, state: State) -> None:
        if self.shaper is not None:
            await self.shaper.close()
        await asyncio.to_thread(self._daemon.revive)
        with step(self._emit, "teardown") as words:
            done = await cleanup.remove(state, self._run)
            words.append(f"{len(done)} objects")
        self.state, self.shaper, self._fabric = None, None, None
        self.hosts, self.pids, self.container_ids, self.links = {}, {}, {}, []

    async def add_docker(self, name: str, *, image: str | None = None, **params: Any) -> ContainerHost:
        """Add one host: the lab's own kind, or a plain container of `image` (see `hostplan.plain`)."""
        if name in self.hosts:
            raise TopologyError(f"host {name!r} is there already; give another name")
        await self._open()
        await self._add([await self._plan(name, image, params)], [])
        return self.hosts[name]

    async def _plan(self, name: str, image: str | None, params: Mapping[str, Any]) -> hostplan.Plan:
        if image not in (None, hostplan.HOST_IMAGE):
            return hostplan.plain(self._state, name, str(image), params)
        seed = await asyncio.to_thread(endpoint_seed, self._emit)
        number, site = len(self.hosts) + 1, params.get("site", name)
        return hostplan.host(self._state, name, number, site, (), seed, params=params)

    async def add_link(self, a: str, b: str, **params: Any) -> LinkSpec:
        """Add one link between two hosts that are there; `params` as a topology's edge has them."""
        for name in (a, b):
            if name not in self.hosts:
                raise UnknownName("host", name, self.hosts)
        spec = hostplan.next_link(list(self.hosts), self.links, a, b, params)
        await self._add([], [spec])
        return spec

    async def versions(self) -> dict[str, str]:
        """What runs outside and inside: Docker's versions, and the images of the hosts."""
        outside = await self._run(["docker", "version", "--format", "{{.Server.Version}}"])
        first = next(iter(self.hosts.values()))
        inside = ".".join(map(str, (await first.facts()).docker))
        ids = await self._run(
            ["docker", "image", "ls", "--no-trunc", "--format", "{{.Repository}} {{.ID}}", "lab/*"]
        )
        found = dict(line.split() for line in ids.stdout.splitlines())
        return {"docker": outside.stdout.strip(), "docker on hosts": inside, **found}

    @property
    def _state(self) -> State:
        if self.state is None:
            raise LabError("this lab is not up; start it first")
        return self.state

    async def _open(self) -> None:
        """Docker, a shaper, and a record: what has to be there before the first host."""
        if self.state is not None:
            return
        if os.geteuid() != 0:
            raise MachineError("building a lab needs root: run it with sudo")
        docker = asyncio.ensure_future(asyncio.to_thread(self._docker))
        try:
            self._kind = await choose(self._asked, self._run)
        finally:
            await docker
        self.state = State.create()

    def _docker(self) -> None:
        self._daemon.ensure()
        images.ensure(client(), self._emit)

    async def _add(self, plans: Sequence[hostplan.Plan], links: Sequence[LinkSpec]) -> None:
        fabric = asyncio.ensure_future(self._open_fabric()) if links else None
        try:
            if plans:
                with step(self._emit, "hosts") as words:
                    await self._start_hosts(plans)
                    words.append(f"{len(plans)} containers")
            await together([self._lay(links, fabric), self._wait_for_docker([p for p in plans if p.socket])])
        finally:
            if fabric is not None:
                fabric.cancel()
                await asyncio.gather(fabric, return_exceptions=True)

    async def _start_hosts(self, plans: Sequence[hostplan.Plan]) -> None:
        for plan in plans:
            self._state.record("container", plan.container.name)
            if plan.socket:
                plan.socket.parent.mkdir(parents=True, exist_ok=True)
        started = await containers.start([plan.container for plan in plans], self._run)
        for plan in plans:
            pid = self.pids[plan.name] = started[plan.container.name].pid
            self.container_ids[plan.name] = started[plan.container.name].id
            self.hosts[plan.name] = ContainerHost(
                plan.name, plan.site, plan.addresses, plan.container.name, self._run, _inside(plan, pid)
            )

    async def _wait_for_docker(self, plans: Sequence[hostplan.Plan]) -> None:
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

    async def _open_fabric(self) -> Fabric:
        if self._fabric is None:
            state = self._state
            folder = state.folder / "shaper"
            folder.mkdir()
            self.shaper = self._kind(state.lab_id, folder, self._run)
            self._fabric = Fabric(state.lab_id, self.shaper, self._run)
            if not os.path.ismount(NETNS_MOUNT):
                state.record("mount", NETNS_MOUNT)
            state.record("namespace", self._fabric.namespace)
            await self._fabric.create()
        return self._fabric


def _inside(plan: hostplan.Plan, pid: int) -> Inside | None:
    """How commands get into a host; a user's own image keeps Docker's confinement."""
    container = plan.container
    if container.confined:
        return None
    env = {"HOSTNAME": container.hostname, **container.env}
    return Inside(pid, Process.of(pid).started, container.capabilities, env)
