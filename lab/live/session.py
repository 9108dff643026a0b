"""A lab with its overlays: installed, found again by another process, changed with the lab.

`lab.emulation` knows hosts and links, `overlays` know hosts; here is the one place where a lab
that stays up has both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

import networkx as nx

from lab.emulation.emulation import Emulation
from lab.emulation.links.link import Shape, Wiring
from lab.emulation.reconcile import Difference
from lab.emulation.registry import DOCKER, OverlayRecord, read
from lab.errors import LabError, NotObtainable, OverlayError, TopologyError, UnknownName
from lab.events import Emit, Note, silent, step
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.hosts.host import Endpoint
from lab.runs import bring_up
from lab.runs.bring_up import READY, Phases
from lab.topology import Topology
from lab.topology.impairments import PARAMETERS
from overlays import registry
from overlays.base import Overlay


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
        daemons: str = DOCKER,
        run: RunCommand = command.run,
        emit: Emit = silent,
    ) -> Session:
        """Bring a lab up, with an endpoint per host on every overlay; on a failure, remove everything again.

        Raises:
            NotObtainable: an overlay that this machine cannot have; nothing was made.
            LabError: see `Emulation.up` and `put_on`.
        """
        for spec in overlays:
            obtainable(spec)
        lab = Emulation(topology, name=name, shaper=shaper, daemons=daemons, run=run, emit=emit)
        session = cls(lab, emit)
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
        """Attach to a running lab; attach to its overlays when they are needed."""
        return cls(Emulation.attach(which, run=run, emit=emit), emit)

    @property
    def topology(self) -> Topology:
        """The topology that the lab was made from, as it runs.

        Raises:
            TopologyError: it was made host by host.
        """
        if self.lab.topology is None:
            raise TopologyError(f"lab {self.lab.name} was made without a topology, which overlays need")
        return self.lab.topology

    def topology_now(self) -> Topology:
        """The topology as its links are now: some may have been changed while they ran."""
        graph: nx.Graph[Any] = nx.Graph(self.topology.graph)
        states = self.lab.running.link_states
        for link in self.topology.links:
            now, asked = states.get(link.name), Wiring(link, 0, 0).state
            if now is not None and (now.ab, now.ba) != (asked.ab, asked.ba):
                edge = graph.edges[link.a, link.b]
                for key in PARAMETERS:
                    edge.pop(key, None)
                edge["rtt"] = now.ab.delay + now.ba.delay
                edge["from"] = {link.a: _parameters(now.ab), link.b: _parameters(now.ba)}
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
        """A running overlay of the lab: installing it again changes nothing.

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
        overlay, phases = registry.parse(spec), Phases(spec, self._emit)
        if any(registry.parse(other).name == overlay.name for other in self.specs):
            raise OverlayError(f"lab {self.lab.name} has {overlay.name} already, with other options")
        try:
            ends = await bring_up.bring_up(overlay, self.lab.hosts, self.topology, phases)
            mode = await overlay.mode()
        except BaseException:
            await asyncio.shield(bring_up.roll_back(overlay, phases))
            raise
        self._overlays[spec] = overlay
        self._record(spec, overlay, ends.values(), mode)
        return ends

    def pairs(self, ends: Mapping[str, Endpoint]) -> Iterator[tuple[str, str]]:
        """All pairs of hosts with these endpoints that the topology connects."""
        return bring_up.pairs(ends, self.topology)

    def _record(
        self, spec: str, overlay: Overlay, ends: Iterable[Endpoint], mode: Mapping[str, str] | None = None
    ) -> None:
        """Write down what an overlay is now; `mode` where it has just been put on."""
        old = next((one for one in self.lab.record.overlays if one.spec == spec), OverlayRecord(spec, ()))
        self._replace(spec, overlay_record(spec, overlay, ends, old.mode if mode is None else mode))

    def _replace(self, spec: str, *new: OverlayRecord) -> None:
        record = self.lab.record
        record.overlays = [*(one for one in record.overlays if one.spec != spec), *new]
        record.save()

    def endpoints(self, word: str) -> dict[str, Endpoint]:
        """The endpoints of an overlay of the lab, by host, as they were attached.

        Raises:
            UnknownName: the lab has no such overlay.
        """
        recorded = self._recorded(self.spec(word)).endpoints
        return {
            end["host"]: Endpoint(**{**end, "host": self.lab.hosts[end["host"]]})
            for end in recorded
            if end["host"] in self.lab.hosts
        }

    async def take_off(self, word: str) -> None:
        """Remove an overlay from the lab, with its endpoints.

        Raises:
            UnknownName: the lab has no such overlay.
        """
        spec = self.spec(word)
        overlay = await self.overlay(spec)
        with step(self._emit, f"{spec}: uninstall"):
            await overlay.uninstall()
        self._overlays.pop(spec, None)
        self._replace(spec)

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
        """Remove an overlay from the hosts that go; False when it must be uninstalled everywhere."""
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
        stay = [end for name, end in self.endpoints(spec).items() if name not in change.hosts_removed]
        self._record(spec, overlay, stay)
        return True

    async def _off_for_now(self, spec: str, why: LabError) -> None:
        self._emit(Note(f"{spec} is installed again, with its endpoints: {why}"))
        if overlay := self._overlays.pop(spec, None):
            await bring_up.roll_back(overlay, Phases(spec, self._emit))
        self._replace(spec)

    async def _follow(self, spec: str, change: Difference) -> bool:
        """Adapt an overlay to changed links and hosts; False when it must be uninstalled everywhere."""
        if not (change.hosts_added or change.links_added or change.links_removed or change.hosts_removed):
            return True
        overlay = await self.overlay(spec)
        try:
            await overlay.rewire(self.topology)
            for name in [host.name for host in change.hosts_added]:
                await overlay.join(self.lab.hosts[name])
            await overlay.ready(READY)
            new = {host.name: self.lab.hosts[host.name] for host in change.hosts_added}
            phases, known = Phases(spec, self._emit), self.endpoints(spec)
            ends = await bring_up.attach(overlay, new, self.topology, phases, known)
        except LabError as error:
            await self._off_for_now(spec, error)
            return False
        self._record(spec, overlay, ends.values())
        return True


def obtainable(spec: str) -> None:
    """Check that this machine can supply an overlay.

    Raises:
        UnknownName: there is no such overlay.
        NotObtainable: it lacks what; the remedy is in the error.
    """
    if missing := registry.parse(spec).obtainable():
        raise NotObtainable(spec, missing.what, missing.remedy)


def _parameters(shape: Shape) -> dict[str, Any]:
    """The parameters of a direction as a topology has them: all that are not as usual."""
    usual = Shape()
    values = {key: getattr(shape, key) for key in PARAMETERS}
    return {key: value for key, value in values.items() if key == "delay" or value != getattr(usual, key)}


def overlay_record(
    spec: str, overlay: Overlay, ends: Iterable[Endpoint], mode: Mapping[str, str]
) -> OverlayRecord:
    """An overlay that is on the hosts of a lab, as the lab's record has it."""
    return OverlayRecord(
        spec,
        hosts=tuple(host.name for host in overlay.hosts),
        mode=dict(mode),
        endpoints=tuple(_plain(end) for end in ends),
        logs=tuple(sorted({name for host in overlay.hosts for name in overlay.log_names(host)})),
    )


@contextmanager
def recorded_while(
    lab: Emulation, spec: str, overlay: Overlay, ends: Iterable[Endpoint], mode: Mapping[str, str]
) -> Iterator[None]:
    """Keep an overlay in the record of its lab while this lasts, for other commands that look at the lab.

    A record that cannot be written does not disturb those who measure. An overlay that is in the record
    already stays there.
    """
    record = lab.record
    if any(one.spec == spec for one in record.overlays):
        yield
        return
    record.overlays = [*record.overlays, overlay_record(spec, overlay, ends, mode)]
    with suppress(OSError):
        record.save()
    try:
        yield
    finally:
        record.overlays = [one for one in record.overlays if one.spec != spec]
        if read(record.lab_id) is not None:  # else another command has removed the lab
            with suppress(OSError):
                record.save()


def _plain(end: Endpoint) -> dict[str, Any]:
    """An endpoint as the record has it."""
    plain = asdict(replace(end, host=None))  # type: ignore[arg-type]
    return {**plain, "host": end.host.name, "neighbours": dict(end.neighbours)}
