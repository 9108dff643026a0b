"""The adjacencies of a document, checked against its resources: which port meets which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from lab.dsl.diagnostics import Faults, expected
from lab.dsl.document import LINK, Adjacency, Port, Resource
from lab.dsl.grammar import RawAdjacency

#: Ports up to which looking through them is as fast as an index, and smaller.
SCAN_LIMIT = 8
#: Faults that come with the nearest known name.
HINTS = 20


class AdjacencyChecker:
    """Checks the adjacencies of one document, and adds errors to its faults."""

    def __init__(self, faults: Faults, by_id: Mapping[str, Resource]) -> None:
        self._faults, self._by_id = faults, by_id
        self._hints = 0
        self._used: dict[tuple[str, str], int] = {}
        self._index: dict[str, dict[str, Port]] = {}
        self._ends: defaultdict[str, list[str]] = defaultdict(list)
        self._invalid: set[str] = set()

    def check(self, raw: Iterable[RawAdjacency]) -> list[Adjacency]:
        """Return those that join a node and a link."""
        found = [adjacency for one in raw if (adjacency := self._adjacency(one))]
        pairs: dict[frozenset[str], str] = {}
        for link in self._by_id.values():
            if link.kind == LINK and len(link.ports) == 2:
                self._check_link(link, pairs)
        return found

    def _adjacency(self, raw: RawAdjacency) -> Adjacency | None:
        first, second = self._resolve(raw.a, raw.a_at), self._resolve(raw.b, raw.b_at)
        if first is None or second is None:
            self._invalid.update(end[0].id for end in (first, second) if end)
            return None
        (a, a_port), (b, b_port) = first, second
        if (a.kind == LINK) == (b.kind == LINK):
            self._invalid.update((a.id, b.id))
            what = "two links meet" if a.kind == LINK else "no link is in it"
            what += "; expected a port of a link and a port of something else"
            self._faults.add(raw.a_at, raw.a, what)
            return None
        if a.kind == LINK:
            (a, a_port), (b, b_port) = (b, b_port), (a, a_port)
        self._ends[b.id].append(a.id)
        return Adjacency(a.id, a_port, b.id, b_port, raw.a_at)

    def _resolve(self, text: str, at: int) -> tuple[Resource, str] | None:
        owner, _, name = (word.strip() for word in text.partition("."))
        resource = self._by_id.get(owner)
        if resource is None:
            what = f"adjacency to a resource that is not there; {self._hint(owner)}"
            self._faults.add(at, owner, what)
            return None
        port = self._port(resource, name)
        if port is None:
            known = expected(name, (port.id for port in resource.ports))
            what = f"{resource.kind} {owner!r} has no such port; {known}"
            self._faults.add(at + text.rindex(name), name, what)
            self._invalid.add(owner)
            return None
        if (first := self._used.setdefault((resource.id, port.id), at)) != at:
            line, column = self._faults.place(first)
            what = f"port used twice, first at {line}:{column}; expected one adjacency for each port"
            self._faults.add(at, f"{owner}.{name}", what)
            self._invalid.add(owner)
        return resource, port.id

    def _hint(self, owner: str) -> str:
        """Say what was expected; to look for the nearest of many names takes longer than to read them."""
        self._hints += 1
        return expected(owner, self._by_id) if self._hints <= HINTS else f"{len(self._by_id)} are known"

    def _port(self, resource: Resource, name: str) -> Port | None:
        if len(resource.ports) <= SCAN_LIMIT:
            return next((port for port in resource.ports if port.id == name), None)
        if resource.id not in self._index:
            self._index[resource.id] = {port.id: port for port in resource.ports}
        return self._index[resource.id].get(name)

    def _check_link(self, link: Resource, pairs: dict[frozenset[str], str]) -> None:
        ends = self._ends[link.id]
        if link.id in self._invalid:
            return
        if len(ends) < 2:
            free = [port.id for port in link.ports if (link.id, port.id) not in self._used]
            count = ("no end", "one end")[len(ends)]
            what = f"the link has {count}; expected an adjacency for {' and '.join(free)}"
        elif ends[0] == ends[1]:
            what = f"the link joins {ends[0]!r} to itself; expected two ends that differ"
        elif (first := pairs.setdefault(frozenset(ends), link.id)) != link.id:
            what = f"a second link between {ends[0]} and {ends[1]}, beside {first!r}; expected one"
        else:
            return
        self._faults.add(link.at, link.id, what)
