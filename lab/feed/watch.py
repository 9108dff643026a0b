"""A lab that is up, looked at once an interval: all objects of it that have news."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lab.draw.geometry import HEIGHT, Layout
from lab.draw.layout import has_map, places
from lab.emulation import registry
from lab.emulation.registry import OverlayRecord, Record
from lab.emulation.shaper_choice import find as find_shaper
from lab.errors import LabError, ShaperError
from lab.feed import flows
from lab.feed.flows import Measured
from lab.feed.hosts import HostWatch
from lab.feed.links import LinkWatch
from lab.feed.machine import MachineWatch
from lab.feed.objects import VERSION, Plain
from lab.topology import Topology


def stamped(kind: str, **fields: Any) -> Plain:
    """Return an object of a kind, made now."""
    return {"v": VERSION, "t": round(time.time(), 3), "kind": kind, **fields}


class LabWatch:
    """One lab; `look` returns what is new. It follows the lab when that gets other hosts or links.

    With `echo`, small packets go over the links and measure their round trips; see `quiet`.
    """

    def __init__(self, which: str = "", *, echo: bool = True) -> None:
        self._record = registry.find(which)
        self.name, self._echo = self._record.name, echo
        self.gone = False
        #: True while a sample is measured: then the feed sends nothing.
        self.quiet = False
        self._machine = MachineWatch()
        self._parts: tuple[LinkWatch | None, HostWatch] | None = None
        self._said = ""
        self._told: dict[str, Plain] = {}

    @property
    def record(self) -> Record:
        """The lab's record, as last read."""
        return self._record

    def look(self) -> list[Plain]:
        """Return the objects that are new since the last look; the first look returns all.

        A lab that is gone is told of once; after that there is nothing.
        """
        if self.gone:
            return []
        found: list[Plain] = []
        record = registry.read(self._record.lab_id)
        if record is None or record.damaged or record.rebooted:
            return [self._gone()]
        if self._parts is None or _built(record) != _built(self._record):
            state = "up" if self._parts is None else "changed"
            self._record = record
            self._open()
            found.append(self._lab(state))
        self._record = record
        figures: dict[str, tuple[Measured, Measured]] = {}
        found += self._links(figures)
        found += [self._object("host", **host) for host in self._hosts.read()]
        found += self._overlays()
        return [*found, stamped("machine", **self._machine.read(figures))]

    def close(self) -> None:
        """Let go of the lab's namespaces."""
        if self._parts is not None and self._parts[0] is not None:
            self._parts[0].close()
        self._parts = None

    @property
    def _hosts(self) -> HostWatch:
        assert self._parts is not None, "opened"
        return self._parts[1]

    def _object(self, kind: str, **fields: Any) -> Plain:
        return stamped(kind, lab=self.name, **fields)

    def _open(self) -> None:
        self.close()
        record, quotas = self._record, {}
        if record.topology:
            quotas = {host.name: host.cpus for host in Topology.from_dict(record.topology).hosts}
        links = None
        if record.shaper:
            folder = record.state.folder / "shaper"
            addresses = {link["name"]: str(link["address_b"]) for link in record.links}
            shaper = find_shaper(record.shaper)(record.lab_id, folder)
            links = LinkWatch(shaper, folder, addresses, echo=self._echo)
        self._parts = (links, HostWatch(record, quotas))
        self._told = {}

    def _gone(self) -> Plain:
        self.gone = True
        last = self._lab("gone")
        self.close()
        return last

    def _lab(self, state: str) -> Plain:
        record, links = self._record, self._parts[0] if self._parts else None
        states = links.states if links else {}
        ends = {link["name"]: link for link in record.links}
        shown = [
            {"id": name, "a": ends[name]["a"], "b": ends[name]["b"], **flows.asked(link)}
            for name, link in states.items()
            if name in ends
        ]
        name = str((record.topology or {}).get("name", ""))
        topology = {"name": name, "hosts": list(hosts(record)), "links": shown}
        return self._object("lab", state=state, topology=topology, shaper=record.shaper, clock="real")

    def _links(self, figures: dict[str, tuple[Measured, Measured]]) -> Iterator[Plain]:
        links = self._parts[0] if self._parts else None
        if links is None:
            return
        links.echoing = self._echo and not self.quiet
        try:
            found, read = links.read()
        except ShaperError as error:
            if str(error) != self._said:
                self._said = str(error)
                yield self._object("event", level="error", text=str(error))
            return
        self._said = ""
        figures |= read
        if found["rows"] or "asked" in found:
            yield self._object("links", **found)

    def _overlays(self) -> Iterator[Plain]:
        ended = self._hosts.with_ended_daemons()
        now = {one.spec: overlay(one, ended) for one in self._record.overlays}
        for spec, fields in now.items():
            if self._told.get(spec) != fields:
                yield self._object("overlay", **fields)
        for spec in self._told.keys() - now.keys():
            yield self._object("overlay", **{**self._told[spec], "state": "removed", "endpoints": []})
        self._told = now


def _built(record: Record) -> tuple[Any, ...]:
    """The parts that a watch is made for: when one changes, all is told again."""
    return (
        [(host.name, host.pid, host.started) for host in record.hosts],
        [link["name"] for link in record.links],
        record.shaper,
    )


def hosts(record: Record) -> Iterator[Plain]:
    """Yield the hosts of a lab, with the places of those that have one."""
    topology = Topology.from_dict(record.topology) if record.topology else None
    known = {host.name: host for host in topology.hosts} if topology else {}
    sites = topology.sites if topology else {}
    at = positions(topology) if topology else {}
    for host in record.hosts:
        place = sites.get(host.site)
        shown: Plain = {"name": host.name}
        if host.name in at:
            shown["at"] = at[host.name]
        if host.site:
            shown["site"] = host.site
        if place is not None:
            shown["place"] = [place.latitude, place.longitude]
        if host.name in known:
            shown["cpus"] = known[host.name].cpus
        yield shown


def positions(topology: Topology) -> dict[str, dict[str, list[float]]]:
    """Return the positions of hosts in a picture, by layout, in points from the upper left corner."""
    layouts = [Layout.STRUCTURE, *([Layout.MAP] if has_map(topology) else [])]
    found: dict[str, dict[str, list[float]]] = {host.name: {} for host in topology.hosts}
    for layout in layouts:
        for name, point in places(topology, layout).items():
            found[name][layout.value] = [round(point.x, 1), round(HEIGHT - point.y, 1)]
    return found


def overlay(record: OverlayRecord, ended: set[str]) -> Plain:
    """Return the fields of an `overlay` object; `ended` are hosts on which a daemon has ended."""
    return {
        "overlay": record.spec,
        "mode": ", ".join(record.mode.values()),
        "encrypted": encrypts(record.spec),
        "endpoints": [
            {"name": end["container"], "host": end["host"], "address": end["address"]}
            for end in record.endpoints
        ],
        "routes": None,
        "state": "broken" if ended & set(record.hosts) else "up",
    }


def encrypts(spec: str) -> bool | None:
    """Tell if an overlay encrypts, with the options that it was given; None where it is not known here."""
    from overlays import registry as overlays

    with suppress(LabError):
        return overlays.parse(spec).encrypts
    return None
