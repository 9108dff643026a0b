"""Hosts and links of a topology, numbered and addressed, made from its graph."""

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
from lab.topology.impairments import PARAMETERS
from lab.topology.validation import way

#: Bytes, on a link that says nothing else.
MTU = 1500
#: What both directions of a link may have in common, and what they have when nothing is said.
USUAL: Mapping[str, Any] = {
    "rate": None,
    "jitter": 0.0,
    "loss": 0.0,
    "distribution": "normal",
    "burst": None,
    "duplicate": 0.0,
    "corrupt": 0.0,
    "reorder": 0.0,
    "queue": None,
}
COMMON = tuple(USUAL)
#: Attributes of a whole graph that a topology keeps.
KEPT = ("sites", "routing", "schedule", "gts")
#: What a link of a lab that runs holds on to, beside its number, whatever comes or goes beside it.
PLACE = ("subnet", "address_a", "address_b", "interface_a", "interface_b")
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
class Direction:
    """One direction of a link: `delay` and `jitter` in ms, `rate` in Mbit/s, `queue` in bytes, shares in
    percent; see `lab.topology.impairments`, and `lab.emulation.links.link` for what each one means."""

    delay: float
    rate: float | None = None
    jitter: float = 0.0
    distribution: str = "normal"
    loss: float = 0.0
    burst: float | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    queue: int | None = None


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A link between hosts `a` and `b`, `a` being the host with the lower number.

    `rtt` (ms) is the round trip, half of it in each direction; `rate` in Mbit/s, None for
    no limit; `jitter` in ms per direction; `loss` in percent per direction; `mtu` in bytes;
    what else both directions have in common is as in `Direction`. `ways` is what one direction has
    of its own, by the host that sends into it: `way` puts it all together. Interfaces count
    from eth1: eth0 is the control network of a real testbed's machines.
    """

    name: str
    number: int
    a: str
    b: str
    rtt: float
    rate: float | None
    jitter: float
    loss: float
    mtu: int
    subnet: str
    address_a: str
    address_b: str
    interface_a: str
    interface_b: str
    distribution: str = "normal"
    burst: float | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    queue: int | None = None
    ways: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()

    def __post_init__(self) -> None:
        # from JSON, pairs come as lists
        fixed = tuple((host, tuple((key, value) for key, value in own)) for host, own in self.ways)
        object.__setattr__(self, "ways", fixed)

    def way(self, host: str) -> Direction:
        """The direction into which this host sends."""
        edge = {key: getattr(self, key) for key in ("rtt", *COMMON)}
        return Direction(**way({**edge, "from": {name: dict(own) for name, own in self.ways}}, host))

    @property
    def prefix(self) -> int:
        """The length of the subnet's prefix in bits."""
        return ip_network(self.subnet).prefixlen

    def other(self, host: str) -> str:
        """The host at the other end."""
        return self.b if host == self.a else self.a

    def address(self, host: str) -> str:
        """The address that this host has on the link."""
        return self.address_a if host == self.a else self.address_b

    def interface(self, host: str) -> str:
        """The interface that this host has on the link."""
        return self.interface_a if host == self.a else self.interface_b


def own_sites(graph: nx.Graph[Any]) -> dict[str, sites.Site]:
    """The graph's further sites, by name in upper case."""
    own = graph.graph.get("sites", {}).items()
    return {name.upper(): sites.Site(name.upper(), name, float(lat), float(lon)) for name, (lat, lon) in own}


def plain_copy(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    """A copy that shares nothing that can change; of the graph's own attributes only those that count."""
    fresh: nx.Graph[Any] = nx.Graph()
    fresh.graph.update({key: copy.deepcopy(graph.graph[key]) for key in KEPT if key in graph.graph})
    fresh.add_nodes_from((node, _copied(attributes)) for node, attributes in graph.nodes(data=True))
    fresh.add_edges_from((a, b, _copied(attributes)) for a, b, attributes in graph.edges(data=True))
    return fresh


def _copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {k: copy.deepcopy(v) if k in ("gts", "from", "place") else v for k, v in attributes.items()}


def completed(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    """A copy with every attribute of every host and link, in one form."""
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
            edge["rtt"] = sites.figure(end_a, end_b).rtt
        edge["rtt"], edge["mtu"] = float(edge["rtt"]), int(edge.get("mtu") or MTU)
        edge |= {key: usual if edge.get(key) is None else edge[key] for key, usual in USUAL.items()}
        edge |= _given({key: edge[key] for key in COMMON})
    return full


def said(edge: Mapping[str, Any]) -> dict[str, Any]:
    """An edge without what few links say and this one does not either."""
    rare = {key: usual for key, usual in USUAL.items() if key not in ("rate", "jitter", "loss")} | {
        "from": {}
    }
    return {key: value for key, value in edge.items() if key not in rare or value != rare[key]}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that have a value, each in one form."""
    kinds: dict[str, Any] = {"distribution": str, "queue": int}
    return {key: kinds.get(key, float)(value) for key, value in values.items() if value is not None}


def number_hosts(graph: nx.Graph[Any]) -> Iterator[HostSpec]:
    """The hosts by number: one that they hold on to, else by `order`, else as they come."""
    ordered = sorted(graph.nodes(data=True), key=lambda pair: pair[1].get("order", float("inf")))
    for number, (name, node) in _numbered([(node, (name, node)) for name, node in ordered]):
        yield HostSpec(name, number, node["site"], node["cpus"], node["image"], node["kind"])


def number_links(graph: nx.Graph[Any], hosts: tuple[HostSpec, ...]) -> Iterator[LinkSpec]:
    """The links by number, as `number_hosts`; with addresses and interfaces."""
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
            rate=edge["rate"],
            **{key: edge[key] for key in COMMON if key != "rate"},
            ways=tuple((host, _in_order(own)) for host, own in sorted(edge["from"].items())),
            mtu=edge["mtu"],
            **(edge.get("place") or places.next(number, a, b)),
        )


def _in_order(own: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What one direction has of its own, in one order, whatever the order in which a file said it."""
    return tuple((key, own[key]) for key in PARAMETERS if key in own)


def _numbered(rows: Sequence[tuple[Mapping[str, Any], T]]) -> list[tuple[int, T]]:
    """Each with the number that it holds on to, or one above all those: what is gone may be remembered."""
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
        """The place of the link of this number: the next interface at each end."""
        self._used.update((a, b))
        hosts = self._hosts
        at = addressing.numbered(number, hosts[a], hosts[b]) if self._numbered else addressing.dense(number)
        return dict(
            zip(
                PLACE,
                (at.subnet, at.address_a, at.address_b, f"eth{self._used[a]}", f"eth{self._used[b]}"),
                strict=True,
            )
        )


def pinned(graph: nx.Graph[Any], hosts: Sequence[HostSpec], links: Sequence[LinkSpec]) -> nx.Graph[Any]:
    """A copy of a graph in which those of these hosts and links that it has hold on to number and place."""
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
    """The ends' names; hosts called a, b-c, a-b and c can make that ambiguous, then with the number."""
    name = f"{a}-{b}" if f"{a}-{b}" not in taken else f"{a}-{b}-{number}"
    while name in taken:
        name += "-"
    taken.add(name)
    return name
