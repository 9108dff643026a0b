"""The contract of a shaper, and what all shapers have in common.

A shaper imposes delay, rate and loss on the links of one lab, inside the lab's own network
namespace. It never fails silently: a link that cannot be shaped as asked carries nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lab.emulation.links import netns, queue_memory, readback
from lab.emulation.links.gauge import Gauge
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.links.store import LinkStore
from lab.emulation.ownership import Process
from lab.errors import ShaperError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.measure.link_counters import Counters
from lab.topology.impairments import PARAMETERS

#: The parameters that each shaper can impose, by its name; the preferred shaper first.
ABILITIES: Mapping[str, frozenset[str]] = {
    "netem": frozenset(PARAMETERS),
    "wire": frozenset(PARAMETERS) - {"duplicate", "corrupt"},
}

#: Shapes by link and direction.
Shapes = dict[str, dict[str, Shape]]


class Shaper(ABC):
    """Shapes the links of one lab. Its class comes from `lab.emulation.shaper_choice.choose`.

    `folder` has files with the requested states, so that another process can take over a lab that stays
    up: it makes a shaper object with the same folder, and `states` then has every link.
    """

    #: One of `ABILITIES`.
    name: ClassVar[str]

    def __init__(self, lab_id: str, folder: Path, run: RunCommand = command.run) -> None:
        self.lab_id, self._run = lab_id, run
        self._namespace = netns.of_lab(lab_id)
        self._store = LinkStore(folder)

    @classmethod
    @abstractmethod
    async def probe(cls, run: RunCommand = command.run) -> str | None:
        """Try the shaper in a temporary namespace; return why it does not work here, None when it does."""

    @property
    def states(self) -> Mapping[str, LinkState]:
        """The requested state of each link, by the link's name."""
        return self._store.states

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes that the shaper keeps running, for callers that check or end them."""
        return ()

    async def prepare(self) -> None:
        """Prepare the lab's namespace: from here on it passes no packet that is not shaped.

        A shaper has nothing to do here if its links stay closed until they are read back.

        Raises:
            ShaperError: the shaper does not work here.
        """

    async def apply(self, links: Sequence[LinkState]) -> None:
        """Shape further links, whose ports exist and whose bridges are down, and read them back.

        Raises:
            ShaperError: it cannot impose a parameter (names the shaper that can), the links need more
                memory than there is, or a link does not read back as asked.
        """
        refuse(self.name, links)
        async with self._store.locked():
            states = {**self.states, **{link.name: link for link in links}}
            queue_memory.check(states.values())
            await self._add(links, states)
            await self._compare(links)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> LinkState:
        """Set some parameters (of `lab.topology.impairments`, or `rtt`) of a running link.

        Returns the link's new state. Packets under way stay under way; other parameters stay as they were.

        Raises:
            UnknownName: there is no such link or parameter.
            ShaperError: as `apply`.
        """
        async with self._store.locked():
            before = self._store.find(link)
            after = before.changed(tuple(directions), **params)
            await self._set(before, after)
        return after

    async def put(self, link: LinkState) -> None:
        """Set all parameters of a running link to those of a state.

        Raises:
            UnknownName: there is no such link.
            ShaperError: as `apply`.
        """
        async with self._store.locked():
            await self._set(self._store.find(link.name), link)

    async def _set(self, before: LinkState, after: LinkState) -> None:
        refuse(self.name, [after])
        states = {**self.states, after.name: after}
        queue_memory.check(states.values())
        await self._replace(before, after, states)
        await self._compare([after])

    def initial(self, link: str) -> LinkState:
        """Return the state in which a link was made. Raises UnknownName when there is no such link."""
        return self._store.find(link, initial=True)

    async def read_back(self, link: str) -> Mapping[str, Shape]:
        """Return the shape that the kernel reports per direction, after comparing it with the requested one.

        Raises:
            UnknownName: there is no such link.
            ShaperError: names the first field that differs, with both values.
        """
        return (await self._compare([self._store.find(link)]))[link]

    async def read_back_all(self) -> Mapping[str, Mapping[str, Shape]]:
        """Return, by link, what `read_back` returns of one.

        Raises:
            ShaperError: as `read_back`.
        """
        async with self._store.locked():  # no link is half changed meanwhile
            return await self._compare(list(self.states.values()))

    async def check(self) -> None:
        """Check that the shaper is alive and that every link is still as it was set.

        Raises:
            ShaperError: names what is not.
        """
        await self.read_back_all()

    async def _compare(self, links: Sequence[LinkState]) -> Shapes:
        """Return the shapes that links read back as, after comparing them with the requested ones."""
        shapes = await self._read(links)
        for link in links:
            for direction in DIRECTIONS:
                readback.compare(link, direction, shapes[link.name][direction])
        return shapes

    @abstractmethod
    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        """Return counts per link name and direction. Raises ShaperError when a part that counts is dead."""

    def gauge(self) -> Gauge:
        """Return what reads the counts of all links at once, without starting a program.

        Raises:
            ShaperError: the lab's namespace, or a part of the shaper, is gone.
        """
        return Gauge(self._namespace)

    async def cost(self) -> Mapping[str, float]:
        """Return what the shaper itself used (``cpu_seconds`` …); empty when the kernel does the work."""
        return {}

    async def remove(self, links: Sequence[str]) -> None:
        """Stop shaping links whose ports are down or gone, and forget their states."""
        async with self._store.locked():
            await self._switch({name: link for name, link in self.states.items() if name not in links})

    async def close(self) -> None:
        """End the shaper's processes; queueing disciplines go with the namespace. Twice changes nothing."""

    @abstractmethod
    async def _add(self, links: Sequence[LinkState], states: Mapping[str, LinkState]) -> None:
        """Shape new links, and store all states."""

    @abstractmethod
    async def _replace(self, before: LinkState, after: LinkState, states: Mapping[str, LinkState]) -> None:
        """Shape a running link again, and store all states; undo the change on a failure."""

    async def _switch(self, states: Mapping[str, LinkState]) -> None:
        """Store new states, and do what the shaper still has to do for them."""
        self._store.save(states)

    @abstractmethod
    async def _read(self, links: Sequence[LinkState]) -> Shapes:
        """Read back what links do. Raises ShaperError for a part that is missing."""


def refuse(shaper: str, links: Sequence[LinkState]) -> None:
    """Check that a shaper can impose all that links ask for.

    Raises:
        ShaperError: names the link, the parameters, and the shaper that has them.
    """
    for link in links:
        if missing := (link.ab.needed | link.ba.needed) - ABILITIES[shaper]:
            others = [other for other, abilities in ABILITIES.items() if missing <= abilities]
            remedy = f"{' or '.join(others)} can (--shaper {others[0]})" if others else "no shaper here can"
            raise ShaperError(f"{link.name}: {shaper} cannot impose {', '.join(sorted(missing))}; {remedy}")
