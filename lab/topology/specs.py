"""Host and link specifications: a topology's graph completed, numbered and addressed."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import count
from typing import Any, TypeVar

import networkx as nx

from lab.topology import addressing, sites
from lab.topology.impairments import DEFAULTS, PARAMETERS, CommonImpairments, Impairments
from lab.topology.validation import PLACE, direction_values

#: Bytes, on a link that says nothing else.
MTU = 1500
#: Attributes of a whole graph that a topology keeps.
KEPT = ("sites", "routing", "schedule", "gts")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host: `number` counts from 1; `kind` is ``host``, or what else a testbed document has
    (``baremetalserver``, and the switches ``ofx`` and ``vsi``); `cpus` and `image` None mean any."""

    name: str
    number: int
    site: str
    cpus: float | None = None
    image: str | None = None
    kind: str = "host"


@dataclass(frozen=True, slots=True)
class LinkSpec(CommonImpairments):
    """A link between hosts `a` and `b`, `a` being the host with the lower number.

    `rtt` (ms) is the round trip, half of it in each direction; `mtu` in bytes. The impairments are those
    that both directions have in common, `ways` what one direction has of its own, by the host that sends
    into it: `impairments` puts it all together. Interfaces count from eth1: eth0 is the control network
    of a real testbed's machines.
    """

    name: str
    number: int
    a: str
    b: str
    rtt: float
    mtu: int
    subnet: str
    address_a: str
    address_b: str
    interface_a: str
    interface_b: str
    ways: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()

    def __post_init__(self) -> None:
        # in one order, whatever the order in which a file said it; from JSON, pairs come as lists
        fixed = tuple(
            (host, tuple(sorted(map(tuple, own), key=lambda pair: PARAMETERS.index(pair[0]))))
            for host, own in self.ways
        )
        object.__setattr__(self, "ways", fixed)

    def impairments(self, host: str) -> Impairments:
        """Return the impairments of the direction into which this host sends."""
        edge = {key: getattr(self, key) for key in ("rtt", *DEFAULTS)}
        own = {name: dict(values) for name, values in self.ways}
        return Impairments(**direction_values({**edge, "from": own}, host))

    @property
    def prefix(self) -> int:
        """Return the length of the subnet's prefix in bits."""
        return ip_network(self.subnet).prefixlen

    def other(self, host: str) -> str:
        """Return the host at the other end."""
        return self.b if host == self.a else self.a

    def address(self, host: str) -> str:
        """Return the address that this host has on the link."""
        return self.address_a if host == self.a else self.address_b

    def interface(self, host: str) -> str:
        """Return the interface that this host has on the link."""
        return self.interface_a if host == self.a else self.interface_b


def own_sites(graph: nx.Graph[Any]) -> dict[str, sites.Site]:
    """Return the graph's further sites, by name in upper case."""
    own = graph.graph.get("sites", {}).items()
    return {name.upper(): sites.Site(name.upper(), name, float(lat), float(lon)) for name, (lat, lon) in own}


def plain_copy(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    """Return a copy without shared mutable parts; it has only the known attributes."""
    fresh: nx.Graph[Any] = nx.Graph()
    fresh.graph.update({key: copy.deepcopy(graph.graph[key]) for key in KEPT if key in graph.graph})
    fresh.add_nodes_from((node, _copied(attributes)) for node, attributes in graph.nodes(data=True))
    fresh.add_edges_from((a, b, _copied(attributes)) for a, b, attributes in graph.edges(data=True))
    return fresh


def _copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {k: copy.deepcopy(v) if k in ("gts", "from", "place") else v for k, v in attributes.items()}


def completed(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    """Return a copy with every attribute of every host and link, in one form."""
    full = plain_copy(graph)
    own = own_sites(full)
    for _, node in full.nodes(data=True):
        node["site"] = node["site"].upper()
        node["cpus"] = None if node.get("cpus") is None else float(node["cpus"])
        node["image"], node["kind"] = node.get("image"), node.get("kind", "host")
    for a, b, edge in full.edges(data=True):
        edge["from"] = {host: _given(own) for host, own in edge.get("from", {}).items() if _given(own)}
        if (delay := edge.pop("delay", None)) is not None:
            for host in (a, b):
                edge["from"].setdefault(host, {}).setdefault("delay", float(delay))
        delays = [own["delay"] for own in edge["from"].values() if "delay" in own]
        if edge.get("rtt") is None and len(delays) == 2:
            edge["rtt"] = sum(delays)
        if edge.get("rtt") is None:
            end_a, end_b = (sites.site(full.nodes[end]["site"], own) for end in (a, b))
            edge["rtt"] = sites.round_trip(end_a, end_b).rtt
        edge["rtt"], edge["mtu"] = float(edge["rtt"]), int(edge.get("mtu") or MTU)
        edge |= {**DEFAULTS, **_given({key: edge.get(key) for key in DEFAULTS})}
    return full


def without_defaults(edge: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edge without what few links say and this one does not either."""
    rare = {key: usual for key, usual in DEFAULTS.items() if key not in ("rate", "jitter", "loss")}
    rare["from"] = {}
    return {key: value for key, value in edge.items() if key not in rare or value != rare[key]}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that have a value, each in one form."""
    kinds: dict[str, Any] = {"distribution": str, "queue": int}
    return {key: kinds.get(key, float)(value) for key, value in values.items() if value is not None}


def number_hosts(graph: nx.Graph[Any]) -> Iterator[HostSpec]:
    """Yield the hosts by number: one that they hold on to, else by `order`, else as they come."""
    ordered = sorted(graph.nodes(data=True), key=lambda pair: pair[1].get("order", float("inf")))
    for number, (name, node) in _numbered([(node, (name, node)) for name, node in ordered]):
        yield HostSpec(name, number, node["site"], node["cpus"], node["image"], node["kind"])


def number_links(graph: nx.Graph[Any], hosts: tuple[HostSpec, ...]) -> Iterator[LinkSpec]:
    """Yield the links by number, as `number_hosts`; with addresses and interfaces."""
    numbers = {host.name: host.number for host in hosts}
    ordered = sorted(graph.edges(data=True), key=lambda edge: edge[2].get("order", float("inf")))
    taken = {edge["name"] for _, _, edge in ordered if edge.get("name")}
    rows = _numbered([(edge, (u, v, edge)) for u, v, edge in ordered])
    places = _Places(rows, numbers)
    for number, (u, v, edge) in rows:
        a, b = sorted((u, v), key=lambda name: numbers[name])
        yield LinkSpec(
            name=edge.get("name") or _free_name(a, b, number, taken),
            number=number,
            a=a,
            b=b,
            rtt=edge["rtt"],
            **{key: edge[key] for key in DEFAULTS},
            ways=tuple((host, tuple(own.items())) for host, own in sorted(edge["from"].items())),
            mtu=edge["mtu"],
            **(edge.get("place") or places.next(number, a, b)),
        )


def _numbered(rows: Sequence[tuple[Mapping[str, Any], T]]) -> list[tuple[int, T]]:
    """Pair each with the number that it holds on to, or one above all those: gone ones may be remembered."""
    free = count(1 + max((of.get("number", 0) for of, _ in rows), default=0))
    found = [(of.get("number") or next(free), what) for of, what in rows]
    return sorted(found, key=lambda pair: pair[0])


class _Places:
    """Addresses and interfaces for the links that do not hold on to theirs."""

    def __init__(self, rows: Sequence[tuple[int, Any]], hosts: Mapping[str, int]) -> None:
        self._hosts = hosts
        self._numbered = addressing.fits_numbered(
            max(hosts.values(), default=0), max((number for number, _ in rows), default=0)
        )
        self._used: Counter[str] = Counter()
        for _, (u, v, edge) in rows:
            if place := edge.get("place"):
                ends = sorted((u, v), key=lambda name: hosts[name])
                for end, interface in zip(ends, (place["interface_a"], place["interface_b"]), strict=True):
                    # a machine may call its own as it likes, and ours then do not meet them
                    number = re.fullmatch(r"eth(\d+)", interface)
                    self._used[end] = max(self._used[end], int(number[1]) if number else 0)

    def next(self, number: int, a: str, b: str) -> dict[str, str]:
        """Return the place of the link of this number: the next interface at each end."""
        self._used.update((a, b))
        hosts = self._hosts
        at = addressing.numbered(number, hosts[a], hosts[b]) if self._numbered else addressing.dense(number)
        place = (at.subnet, at.address_a, at.address_b, f"eth{self._used[a]}", f"eth{self._used[b]}")
        return dict(zip(PLACE, place, strict=True))


def pinned(graph: nx.Graph[Any], hosts: Sequence[HostSpec], links: Sequence[LinkSpec]) -> nx.Graph[Any]:
    """Return a copy of a graph in which these hosts and links, if there, hold on to number and place."""
    fresh = plain_copy(graph)
    for host in hosts:
        if host.name in fresh:
            fresh.nodes[host.name]["number"] = host.number
    for link in links:
        if fresh.has_edge(link.a, link.b):
            edge = fresh.edges[link.a, link.b]
            edge["number"], edge["place"] = link.number, {key: getattr(link, key) for key in PLACE}
    return fresh


def _free_name(a: str, b: str, number: int, taken: set[str]) -> str:
    """Join the ends' names; hosts called a, b-c, a-b and c can make that ambiguous, then with the number."""
    name = f"{a}-{b}" if f"{a}-{b}" not in taken else f"{a}-{b}-{number}"
    while name in taken:
        name += "-"
    taken.add(name)
    return name
