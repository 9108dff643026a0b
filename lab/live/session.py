"""A lab with its overlays: put on, found again by another process, taken along when the lab changes.

`lab.emulation` knows hosts and links, `overlays` know hosts; here is the one place where a lab
that stays up has both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

import networkx as nx

from lab.emulation.emulation import Emulation
from lab.emulation.links.link import Shape, Wiring
from lab.emulation.reconcile import Difference
from lab.emulation.registry import OverlayRecord
from lab.errors import LabError, NotObtainable, OverlayError, TopologyError, UnknownName
from lab.events import Emit, Note, silent, step
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.hosts.host import Endpoint, Host
from lab.measure.reachability import every_pair
from lab.topology import Topology
from lab.topology.impairments import PARAMETERS
from lab.util.concurrency import together
from overlays import registry
from overlays.base import ENDPOINT_IMAGE, Overlay

#: How long an overlay may take until it says that all hosts reach each other (s).
READY = 120.0


class Session:
    """One lab that is up, and its overlays by the words that asked for them (``weave:mode=sleeve``)."""

    def __init__(self, lab: Emulation, emit: Emit = silent) -> None:
        self.lab, self._emit = lab, emit
        self._overlays: dict[str, Overlay] = {}

    @classmethod
    async def up(
        cls,
        topology: Topology,
        overlays: Sequence[str] = (),
        *,
        name: str = "",
        shaper: str = "auto",
        run: RunCommand = command.run,
        emit: Emit = silent,
    ) -> Session:
        """Bring a lab up, with an endpoint per host on every overlay; of what fails nothing is left.

        Raises:
            NotObtainable: an overlay that this machine cannot have; nothing was made.
            LabError: see `Emulation.up` and `put_on`.
        """
        for spec in overlays:
            obtainable(spec)
        session = cls(Emulation(topology, name=name, shaper=shaper, run=run, emit=emit), emit)
        await session.lab.up()
        try:
            for spec in overlays:
                await session.put_on(spec)
        except BaseException:
            await asyncio.shield(session.lab.down())
            raise
        return session

    @classmethod
    def attach(cls, which: str = "", *, run: RunCommand = command.run, emit: Emit = silent) -> Session:
        """Take up a lab that is up; its overlays are taken up when they are asked for."""
        return cls(Emulation.attach(which, run=run, emit=emit), emit)

    @property
    def topology(self) -> Topology:
        """What the lab was made from, as it runs.

        Raises:
            TopologyError: it was made host by host.
        """
        if self.lab.topology is None:
            raise TopologyError(f"lab {self.lab.name} was made without a topology, which overlays need")
        return self.lab.topology

    def topology_now(self) -> Topology:
        """The topology as its links are now: some may have been changed while they ran."""
        graph: nx.Graph[Any] = nx.Graph(self.topology.graph)
        lines = self.lab.running.link_states
        for link in self.topology.links:
            line, asked = lines.get(link.name), Wiring(link, 0, 0).state
            if line is not None and (line.ab, line.ba) != (asked.ab, asked.ba):
                edge = graph.edges[link.a, link.b]
                for key in PARAMETERS:
                    edge.pop(key, None)
                edge["rtt"] = line.ab.delay + line.ba.delay
                edge["from"] = {link.a: _way(line.ab), link.b: _way(line.ba)}
        old = self.topology
        return Topology(graph, name=old.name, description=old.description, separate_parts=old.separate_parts)

    @property
    def specs(self) -> tuple[str, ...]:
        """The overlays that the lab has, by the words that asked for them."""
        return tuple(one.spec for one in self.lab.record.overlays)

    def spec(self, word: str) -> str:
        """The overlay of the lab that a word means: the whole of what asked for it, or its name.

        Raises:
            UnknownName: the lab has no such overlay, or several.
        """
        found = [spec for spec in self.specs if spec == word] or [
            spec for spec in self.specs if spec.partition(":")[0] == word
        ]
        if len(found) != 1:
            raise UnknownName(f"overlay of lab {self.lab.name}", word, self.specs)
        return found[0]

    async def overlay(self, word: str) -> Overlay:
        """An overlay of the lab, taken up as it runs: to install it again changes nothing.

        Raises:
            UnknownName: the lab has no such overlay.
            OverlayError: it no longer stands and does not stand again.
        """
        spec = self.spec(word)
        if spec not in self._overlays:
            overlay = registry.parse(spec)
            hosts = set(self._recorded(spec).hosts) & set(self.lab.alive())
            await overlay.install([h for h in self.lab.hosts.values() if h.name in hosts], self.topology)
            self._overlays[spec] = overlay
        return self._overlays[spec]

    def _recorded(self, spec: str) -> OverlayRecord:
        return next(one for one in self.lab.record.overlays if one.spec == spec)

    async def put_on(self, spec: str) -> Mapping[str, Endpoint]:
        """Install an overlay on every host, with one endpoint each, and see that all reach each other.

        Raises:
            LabError: it did not come up; it was taken off again.
        """
        obtainable(spec)
        if spec in self.specs:
            return self.endpoints(spec)
        overlay, hosts = registry.parse(spec), tuple(self.lab.hosts.values())
        if any(registry.parse(other).name == overlay.name for other in self.specs):
            raise OverlayError(f"lab {self.lab.name} has {overlay.name} already, with other options")
        try:
            with step(self._emit, f"{spec}: install"):
                await overlay.install(hosts, self.topology)
            with step(self._emit, f"{spec}: ready"):
                await overlay.ready(READY)
            ends = await self._attach(overlay, spec, hosts)
            mode = dict(await overlay.mode())
        except BaseException:
            await asyncio.shield(_farewell(overlay))
            raise
        self._overlays[spec] = overlay
        self._note(spec, hosts=tuple(self.lab.hosts), mode=mode, endpoints=ends.values())
        return ends

    async def _attach(self, overlay: Overlay, spec: str, hosts: Sequence[Host]) -> dict[str, Endpoint]:
        with step(self._emit, f"{spec}: endpoints"):
            ends = await together(overlay.attach(host, ENDPOINT_IMAGE) for host in hosts)
        attached = {end.host.name: end for end in ends}
        with step(self._emit, f"{spec}: a packet between every two endpoints"):
            every = {**self._known_endpoints(spec), **attached}
            await every_pair(every, self.pairs(every), refresh=overlay.refresh)
        return attached

    def pairs(self, ends: Mapping[str, Endpoint]) -> Iterator[tuple[str, str]]:
        """All pairs of hosts with these endpoints that the topology connects."""
        for a, b in combinations(ends, 2):
            with suppress(TopologyError):
                self.topology.path(a, b)
                yield a, b

    def _note(self, spec: str, **what: Any) -> None:
        """Write down what an overlay is now."""
        if "endpoints" in what:
            what["endpoints"] = tuple(_plain(end) for end in what["endpoints"])
        old = next((one for one in self.lab.record.overlays if one.spec == spec), OverlayRecord(spec, ()))
        others = [one for one in self.lab.record.overlays if one.spec != spec]
        self.lab.record.overlays = [*others, replace(old, **what)]
        self.lab.record.save()

    def endpoints(self, word: str) -> dict[str, Endpoint]:
        """The endpoints of an overlay of the lab, by host, as they were attached.

        Raises:
            UnknownName: the lab has no such overlay.
        """
        return self._known_endpoints(self.spec(word))

    def _known_endpoints(self, spec: str) -> dict[str, Endpoint]:
        found = (one for one in self.lab.record.overlays if one.spec == spec)
        return {
            words["host"]: Endpoint(**{**words, "host": self.lab.hosts[words["host"]]})
            for one in found
            for words in one.endpoints
            if words["host"] in self.lab.hosts
        }

    async def take_off(self, word: str) -> None:
        """Take an overlay off the lab, with its endpoints.

        Raises:
            UnknownName: the lab has no such overlay.
        """
        spec = self.spec(word)
        overlay = await self.overlay(spec)
        with step(self._emit, f"{spec}: uninstall"):
            await overlay.uninstall()
        self._overlays.pop(spec, None)
        self.lab.record.overlays = [one for one in self.lab.record.overlays if one.spec != spec]
        self.lab.record.save()

    async def become(self, change: Difference, overlays: Sequence[str] | None = None) -> None:
        """Bring the lab to another topology, its overlays along; and to these overlays, where given.

        An overlay takes hosts in and lets them go while it runs. One that cannot do what is asked is
        taken off before and put on again afterwards, which is said.

        Raises:
            LabError: see `Emulation.become`.
        """
        for spec in overlays or ():
            obtainable(spec)
        for spec in [spec for spec in self.specs if overlays is not None and spec not in overlays]:
            await self.take_off(spec)
        again = [spec for spec in self.specs if change and not await self._leave(spec, change)]
        if change:
            await self.lab.become(change)
        again += [spec for spec in self.specs if not await self._follow(spec, change)]
        for spec in [*again, *(spec for spec in overlays or () if spec not in self.specs)]:
            await self.put_on(spec)

    async def _leave(self, spec: str, change: Difference) -> bool:
        """Let an overlay take leave of the hosts that go; False when it had to be taken off."""
        dead = [name for name in self._recorded(spec).hosts if name not in self.lab.alive()]
        try:
            overlay = await self.overlay(spec)
            if dead:
                raise OverlayError(f"host {dead[0]}, which had it, has died")
            for host in [host for host in overlay.hosts if host.name in change.hosts_removed]:
                await overlay.leave(host)
        except LabError as error:
            await self._off_for_now(spec, error)
            return False
        gone = [end for name, end in self.endpoints(spec).items() if name not in change.hosts_removed]
        self._note(spec, hosts=tuple(host.name for host in overlay.hosts), endpoints=gone)
        return True

    async def _off_for_now(self, spec: str, why: LabError) -> None:
        self._emit(Note(f"{spec} is put on the lab anew, and its endpoints with it: {why}"))
        if overlay := self._overlays.pop(spec, None):
            await _farewell(overlay)
        self.lab.record.overlays = [one for one in self.lab.record.overlays if one.spec != spec]
        self.lab.record.save()

    async def _follow(self, spec: str, change: Difference) -> bool:
        """Let an overlay follow the links and hosts that changed; False when it had to be taken off."""
        if not (change.hosts_added or change.links_added or change.links_removed or change.hosts_removed):
            return True
        overlay = await self.overlay(spec)
        try:
            await overlay.rewire(self.topology)
            for name in [host.name for host in change.hosts_added]:
                await overlay.join(self.lab.hosts[name])
            await overlay.ready(READY)
            new = [self.lab.hosts[host.name] for host in change.hosts_added]
            ends = {**self.endpoints(spec), **await self._attach(overlay, spec, new)}
        except LabError as error:
            await self._off_for_now(spec, error)
            return False
        self._note(spec, hosts=tuple(host.name for host in overlay.hosts), endpoints=ends.values())
        return True


def obtainable(spec: str) -> None:
    """Return when this machine can supply an overlay.

    Raises:
        UnknownName: there is no such overlay.
        NotObtainable: it lacks what; the remedy is in the error.
    """
    if missing := registry.parse(spec).obtainable():
        raise NotObtainable(spec, missing.what, missing.remedy)


async def _farewell(overlay: Overlay) -> None:
    """Take an overlay off after trouble; what goes wrong now must not hide the trouble."""
    with suppress(LabError):
        await overlay.uninstall()


def _way(shape: Shape) -> dict[str, Any]:
    """What a direction does now, as a topology has it: all that is not as usual."""
    usual = Shape()
    values = {key: getattr(shape, key) for key in PARAMETERS}
    return {key: value for key, value in values.items() if key == "delay" or value != getattr(usual, key)}


def _plain(end: Endpoint) -> dict[str, Any]:
    """An endpoint as the record has it."""
    words = asdict(replace(end, host=None))  # type: ignore[arg-type]
    return {**words, "host": end.host.name, "neighbours": dict(end.neighbours)}
