"""Hosts and links of a topology, numbered and addressed, made from its graph."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import networkx as nx

from lab import addressing, sites

#: Bytes, on a link that says nothing else.
MTU = 1500
#: Attributes of a whole graph that a topology keeps.
KEPT = ("sites", "gts")


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
class LinkSpec:
    """A link between hosts `a` and `b`, `a` being the host with the lower number.

    `rtt` (ms) is the round trip, half of it in each direction; `rate` in Mbit/s, None for
    no limit; `jitter` in ms per direction; `loss` in percent per direction; `mtu` in bytes.
    Interfaces count from eth1: eth0 is the control network of a real testbed's machines.
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
    return {k: copy.deepcopy(v) if k == "gts" else v for k, v in attributes.items()}


def completed(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    """A copy with every attribute of every host and link, in one form."""
    full = plain_copy(graph)
    own = own_sites(full)
    for _, node in full.nodes(data=True):
        node["site"] = node["site"].upper()
        node["cpus"] = None if node.get("cpus") is None else float(node["cpus"])
        node["image"], node["kind"] = node.get("image"), node.get("kind", "host")
    for a, b, edge in full.edges(data=True):
        if edge.get("rtt") is None:
            end_a, end_b = (sites.site(full.nodes[end]["site"], own) for end in (a, b))
            edge["rtt"] = sites.figure(end_a, end_b).rtt
        edge["rtt"], edge["mtu"] = float(edge["rtt"]), int(edge.get("mtu") or MTU)
        edge["rate"] = None if edge.get("rate") is None else float(edge["rate"])
        edge["jitter"], edge["loss"] = float(edge.get("jitter") or 0), float(edge.get("loss") or 0)
    return full


def number_hosts(graph: nx.Graph[Any]) -> Iterator[HostSpec]:
    """The hosts, by `order` where they have one, else as they come."""
    ordered = sorted(graph.nodes(data=True), key=lambda pair: pair[1].get("order", float("inf")))
    for number, (name, node) in enumerate(ordered, start=1):
        yield HostSpec(name, number, node["site"], node["cpus"], node["image"], node["kind"])


def number_links(graph: nx.Graph[Any], hosts: tuple[HostSpec, ...]) -> Iterator[LinkSpec]:
    """The links, by `order` where they have one, else as they come; with addresses and interfaces."""
    numbers = {host.name: host.number for host in hosts}
    used: Counter[str] = Counter()
    numbered = addressing.fits_numbered(len(hosts), graph.number_of_edges())
    ordered = sorted(graph.edges(data=True), key=lambda edge: edge[2].get("order", float("inf")))
    taken = {edge["name"] for _, _, edge in ordered if edge.get("name")}
    for number, (u, v, edge) in enumerate(ordered, start=1):
        a, b = sorted((u, v), key=lambda name: numbers[name])
        used.update((a, b))
        place = addressing.numbered(number, numbers[a], numbers[b]) if numbered else addressing.dense(number)
        yield LinkSpec(
            name=edge.get("name") or _free_name(a, b, number, taken),
            number=number,
            a=a,
            b=b,
            rtt=edge["rtt"],
            rate=edge["rate"],
            jitter=edge["jitter"],
            loss=edge["loss"],
            mtu=edge["mtu"],
            subnet=place.subnet,
            address_a=place.address_a,
            address_b=place.address_b,
            interface_a=f"eth{used[a]}",
            interface_b=f"eth{used[b]}",
        )


def _free_name(a: str, b: str, number: int, taken: set[str]) -> str:
    """The ends' names; hosts called a, b-c, a-b and c can make that ambiguous, then with the number."""
    name = f"{a}-{b}" if f"{a}-{b}" not in taken else f"{a}-{b}-{number}"
    while name in taken:
        name += "-"
    taken.add(name)
    return name
