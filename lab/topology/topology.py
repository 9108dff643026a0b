"""A topology: sites, hosts and links as a checked graph that does not change."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import networkx as nx

from lab.errors import TopologyError, UnknownName
from lab.topology import schedule as timetable
from lab.topology import sites, specs, validation
from lab.topology.specs import HostSpec, LinkSpec
from lab.util.documents import shown

#: What the second of the two, round trip (ms) and number of links, counts when paths are compared by
#: the first: of two equal ones it decides, and links without delay cannot make a routing loop.
SECOND = 1e-9


class Topology:
    """Hosts at sites, and the links between them; checked when it is made, then unchangeable.

    Args:
        graph: undirected; nodes are host names. Node attributes: `site` (needed), `cpus`,
            `image`, `kind`; edge attributes: `rtt` (ms round trip; without it the published
            or estimated figure between the two sites), `mtu` (bytes), `name`, per direction all
            that `lab.topology.impairments` knows, and `from` with what only holds for what one host sends
            (``{"AMS": {"loss": 1}}``). `order` on either sorts before numbering; without
            it they are numbered in the graph's order. `graph.graph["sites"]` may hold further
            sites: name to (latitude, longitude), `graph.graph["routing"]` by what paths are compared
            (`delay`, or `hops`), `graph.graph["schedule"]` what happens to links while an experiment
            measures (`lab.topology.schedule`).
        name: a word or two.
        description: a sentence.
        separate_parts: the topology may consist of parts that do not touch.

    Raises:
        TopologyError: naming every host and link at fault.
    """

    def __init__(
        self, graph: nx.Graph[Any], *, name: str, description: str = "", separate_parts: bool = False
    ) -> None:
        self.name, self.description, self.separate_parts = name, description, separate_parts
        self._refuse(validation.about_faults(name, description, separate_parts))
        self._refuse(validation.faults(graph, separate_parts))
        self._graph = specs.completed(graph)
        self._refuse(validation.combined_faults(self._graph))
        self.hosts: tuple[HostSpec, ...] = tuple(specs.number_hosts(self._graph))
        self.links: tuple[LinkSpec, ...] = tuple(specs.number_links(self._graph, self.hosts))
        self._hosts = {host.name: host for host in self.hosts}
        self._ends = {frozenset((link.a, link.b)): link for link in self.links}
        self._names = {link.name: link for link in self.links}
        ends = {link.name: (link.a, link.b) for link in self.links}
        schedule = self._graph.graph.get("schedule", [])
        self._refuse(timetable.faults(schedule, ends))
        self.schedule = timetable.read(schedule)
        self._links_of: dict[str, list[LinkSpec]] = defaultdict(list)
        for link in self.links:
            for end in (link.a, link.b):
                self._links_of[end].append(link)
        self._trees: dict[str, tuple[Mapping[str, float], Mapping[str, list[str]]]] = {}
        self._sealed = True

    def _refuse(self, faults: list[str]) -> None:
        if faults:
            raise TopologyError(f"topology {shown(self.name)} is not valid: {'; '.join(faults)}", faults)

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_sealed", False):
            raise AttributeError(f"a topology does not change; make another one to alter its {name}")
        super().__setattr__(name, value)

    @property
    def graph(self) -> nx.Graph[Any]:
        """Return a frozen copy of the graph, with every attribute filled in."""
        graph: nx.Graph[Any] = nx.freeze(specs.plain_copy(self._graph))
        return graph

    @property
    def sites(self) -> Mapping[str, sites.Site]:
        """Return the sites that have hosts here, by name."""
        own = specs.own_sites(self._graph)
        return {host.site: sites.site(host.site, own) for host in self.hosts}

    @property
    def routing(self) -> str:
        """The measure of a path: ``delay``, the round trip in sum, or ``hops``, the number of links."""
        return str(self._graph.graph.get("routing", validation.ROUTINGS[0]))

    def host(self, name: str) -> HostSpec:
        """Return the host of this name.

        Raises:
            UnknownName: there is none.
        """
        if name not in self._hosts:
            raise UnknownName("host", name, self._hosts)
        return self._hosts[name]

    def link(self, a: str, b: str | None = None) -> LinkSpec:
        """Return the link of this name, or the link between two hosts.

        Raises:
            UnknownName: there is none.
        """
        if b is None:
            if a not in self._names:
                raise UnknownName("link", a, self._names)
            return self._names[a]
        ends = frozenset((self.host(a).name, self.host(b).name))
        if ends not in self._ends:
            raise UnknownName("link", f"{a}-{b}", self._names)
        return self._ends[ends]

    def links_of(self, host: str) -> tuple[LinkSpec, ...]:
        """Return the links of a host, by number."""
        return tuple(self._links_of.get(self.host(host).name, ()))

    def neighbours(self, name: str) -> tuple[str, ...]:
        """Return the hosts one link away, by the number of the link."""
        return tuple(link.other(name) for link in self.links_of(name))

    def path(self, a: str, b: str) -> tuple[str, ...]:
        """Return the hosts from `a` to `b`, both included: the least round trip in sum, or the fewest links.

        Raises:
            TopologyError: they are in parts that do not touch.
        """
        paths = self._tree(self.host(a).name)[1]
        if self.host(b).name not in paths:
            raise TopologyError(
                f"topology {self.name!r} has no path from {a} to {b}: they are in separate parts"
            )
        return tuple(paths[b])

    def hops(self, a: str, b: str) -> int:
        """Return the number of links on the path."""
        return len(self.path(a, b)) - 1

    def rtt(self, a: str, b: str) -> float:
        """Return the expected round trip in ms: the sum over the path."""
        path = self.path(a, b)
        return sum(self.link(*pair).rtt for pair in pairwise(path))

    def address(self, host: str) -> str:
        """Return the address of a host on its first link.

        Raises:
            TopologyError: it has no link.
        """
        if not self.addresses(host):
            raise TopologyError(f"host {host!r} of topology {self.name!r} has no link, so no address")
        return self.addresses(host)[0]

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, by the number of the link."""
        return tuple(link.address(host) for link in self.links_of(host))

    def routes(self, host: str) -> tuple[tuple[str, str], ...]:
        """Return static routes (subnet, address of the next hop) to every subnet that is not the host's own.

        A route leads to the nearer end of the link. Where the way to the farther end begins
        with another hop, that one address has a /32 route of its own.
        """
        lengths, paths = self._tree(self.host(host).name)
        routes = []
        for link in self.links:
            if host in (link.a, link.b) or link.a not in paths:
                continue
            near, far = sorted((link.a, link.b), key=lambda end: (lengths[end], end != link.a))
            routes.append((link.subnet, self._via(host, paths[near][1])))
            if paths[far][1] != paths[near][1]:
                routes.append((f"{link.address(far)}/32", self._via(host, paths[far][1])))
        return tuple(routes)

    def _via(self, host: str, neighbour: str) -> str:
        return self._ends[frozenset((host, neighbour))].address(neighbour)

    def _tree(self, host: str) -> tuple[Mapping[str, float], Mapping[str, list[str]]]:
        """Return lengths and shortest paths from one host to all that it reaches; kept once computed."""
        if host not in self._trees:
            per_ms, per_link = (SECOND, 1.0) if self.routing == "hops" else (1.0, SECOND)

            def weight(_a: str, _b: str, edge: Mapping[str, Any]) -> float:
                return float(edge["rtt"]) * per_ms + per_link

            tree: Any = nx.single_source_dijkstra(self._graph, host, weight=weight)
            self._trees[host] = tree
        return self._trees[host]

    def with_rate(self, mbit: float | None) -> Topology:
        """Return the same topology with every link at this rate (Mbit/s); None removes the limits."""
        graph = specs.plain_copy(self._graph)
        for _, _, edge in graph.edges(data=True):
            edge["rate"] = mbit
            for own in edge["from"].values():
                own.pop("rate", None)
        return self._with(graph)

    def with_cpus(self, cpus: float | None) -> Topology:
        """Return the same topology with so many CPUs for every host; None removes the limits."""
        graph = specs.plain_copy(self._graph)
        for _, node in graph.nodes(data=True):
            node["cpus"] = cpus
        return self._with(graph)

    def pinned(self) -> Topology:
        """Return the same topology, whose hosts and links hold on to their numbers and addresses."""
        return self.numbered_like(self)

    def numbered_like(self, running: Topology) -> Topology:
        """Return this topology, with the numbers of a running one for all common hosts and links.

        A link that the running one has between the same two hosts is the same link.
        """
        return self._with(specs.pinned(self._graph, running.hosts, running.links))

    def with_interfaces(self, names: Mapping[str, Mapping[str, str]]) -> Topology:
        """Return it for machines with other interface names: by host, and port (``eth1``)."""
        links = [
            replace(
                link,
                interface_a=names.get(link.a, {}).get(link.interface_a, link.interface_a),
                interface_b=names.get(link.b, {}).get(link.interface_b, link.interface_b),
            )
            for link in self.links
        ]
        if tuple(links) == self.links:
            return self
        return self._with(specs.pinned(self._graph, self.hosts, links))

    def _with(self, graph: nx.Graph[Any]) -> Topology:
        return Topology(
            graph, name=self.name, description=self.description, separate_parts=self.separate_parts
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in plain values that JSON holds; `from_dict` reads it back."""
        data = {
            "name": self.name,
            "description": self.description,
            "separate_parts": self.separate_parts,
            **copy.deepcopy(self._graph.graph),
        }
        data["hosts"] = [{"name": n, **copy.deepcopy(at)} for n, at in self._graph.nodes(data=True)]
        edges = self._graph.edges(data=True)
        data["links"] = [{"a": a, "b": b, **copy.deepcopy(specs.without_defaults(at))} for a, b, at in edges]
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Topology:
        """Return the topology that `to_dict` wrote.

        Raises:
            TopologyError: it is not valid.
        """
        about = {key: data[key] for key in ("name", "description", "separate_parts") if key in data}
        graph: nx.Graph[Any] = nx.Graph()
        graph.graph.update({key: data[key] for key in specs.KEPT if key in data})
        try:
            for host in data["hosts"]:
                graph.add_node(host["name"], **{key: value for key, value in host.items() if key != "name"})
            for link in data["links"]:
                rest = {key: value for key, value in link.items() if key not in ("a", "b")}
                graph.add_edge(link["a"], link["b"], **rest)
            name = about.pop("name")
        except (KeyError, TypeError, AttributeError) as error:
            raise TopologyError(f"this is no topology as the lab writes it down: {error!r}") from error
        return Topology(graph, name=name, **about)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Topology) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.name, self.hosts, self.links))

    def _key(self) -> Any:
        gts = {n: at["gts"] for n, at in self._graph.nodes(data=True) if "gts" in at}
        wires = {link.name: self._graph.edges[link.a, link.b].get("gts") for link in self.links}
        about = (self.name, self.description, self.separate_parts, self.routing)
        # the order of a document's text is no part of what the topology is
        document = {k: v for k, v in self._graph.graph.get("gts", {}).items() if k != "order"}
        return about, self.hosts, self.links, self.schedule, dict(self.sites), document, gts, wires

    def __reduce__(self) -> Any:
        return Topology.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        return f"Topology({self.name!r}, {len(self.hosts)} hosts, {len(self.links)} links)"
