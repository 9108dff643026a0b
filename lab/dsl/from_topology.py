"""From a topology to a document.

What a document says beyond a topology (ids, ports, attributes of the service) travels
in the attribute ``gts`` of the graph, its nodes and its edges. Where that says nothing:

* a node's id is its name, a link's id is l1, l2, …, by the links' numbers;
* the ports of a node are port1, port2, …, one per link in that order;
* a link's port ``src`` is at the host with the lower number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.dsl.document import ENDS, LINK, Adjacency, Attributes, Document, Port, Resource, natural_key
from lab.dsl.gts_rules import rate_of
from lab.errors import TopologyError
from lab.topology import LinkSpec, Topology

DOCUMENT_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
RATES = ("capacity", "bandwidth")


def to_document(topology: Topology) -> Document:
    """Return the document of a topology.

    Raises:
        TopologyError: two of its resources would have one id.
    """
    graph = topology.graph
    about = graph.graph.get("gts", {})
    ids = {name: node.get("gts", {}).get("id", name) for name, node in graph.nodes(data=True)}
    gts = {link.name: graph.edges[link.a, link.b].get("gts", {}) for link in topology.links}
    prefix = link_prefix(ids.values())
    link_ids = {link.name: gts[link.name].get("id", f"{prefix}{link.number}") for link in topology.links}
    if twins := sorted(i for i, count in Counter([*ids.values(), *link_ids.values()]).items() if count > 1):
        raise TopologyError(
            f"topology {topology.name!r} cannot be written: two resources have the id {', '.join(twins)}"
        )
    if homeless := [host.name for host in topology.hosts if not host.site]:
        raise TopologyError(
            f"topology {topology.name!r} cannot be written for the testbed: {', '.join(homeless[:10])} "
            f"has no site; write e.g. '{homeless[0]}: AMS'"
        )
    ports = {name: _ports(topology, name, graph.nodes[name].get("gts", {})) for name in graph}
    places = {link_id: place for place, link_id in enumerate(about.get("order", ()))}
    links = sorted(topology.links, key=lambda link: places.get(link_ids[link.name], len(places)))
    return Document(
        name=about.get("name", document_name(topology.name)),
        id=about.get("id"),
        description=topology.description,
        resources=(
            *(_node(name, node, ids[name], ports[name]) for name, node in graph.nodes(data=True)),
            *(_link(link, link_ids[link.name], gts[link.name]) for link in links),
        ),
        adjacencies=tuple(
            Adjacency(ids[host], port, link_ids[link.name], end)
            for link in links
            for host, port, end in _link_ends(link, ports, gts[link.name])
        ),
        attributes=_pairs(about.get("attributes", {})),
    )


def document_name(name: str) -> str:
    """Return the name of the document of a topology of this name."""
    if DOCUMENT_NAME.fullmatch(name):
        return name
    legal = re.sub(r"[^A-Za-z0-9]", "", name)
    return legal if DOCUMENT_NAME.fullmatch(legal) else f"Topology{legal}"


def link_prefix(taken: Iterable[str]) -> str:
    """Return the beginning of generated ids of links: l, or ll, lll, … where a host is named like a link."""
    longest = max((len(m[1]) for m in map(re.compile(r"(l+)\d+").fullmatch, taken) if m), default=0)
    return "l" * (longest + 1)


def port_names(given: Sequence[str], spare: Iterable[str], count: int) -> list[str]:
    """Return the ports of a node's first `count` links: those given, then generated ones that are free."""
    names, taken = list(given[:count]), {*given, *spare}
    number = len(names)
    while len(names) < count:
        number += 1
        if f"port{number}" not in taken:
            names.append(f"port{number}")
    return names


def _ports(topology: Topology, name: str, gts: Mapping[str, Any]) -> dict[str, str]:
    """Return the port of a node by the name of the link that it meets."""
    links = topology.links_of(name)
    names = port_names(gts.get("ports", ()), gts.get("spare", ()), len(links))
    return {link.name: port for link, port in zip(links, names, strict=True)}


def _node(name: str, node: Mapping[str, Any], node_id: str, ports: Mapping[str, str]) -> Resource:
    gts = node.get("gts", {})
    beyond = gts.get("ports", ())[len(ports) :]
    ordered = sorted({*ports.values(), *beyond, *gts.get("spare", ())}, key=natural_key)
    extra = gts.get("port_attributes", {})
    return Resource(
        kind=node["kind"],
        id=node_id,
        location=node["site"],
        ports=tuple(Port(port, _pairs(extra.get(port, {}))) for port in ordered),
        attributes=_pairs(gts.get("attributes", {})),
        blocks=tuple((block, _pairs(inner)) for block, inner in gts.get("blocks", ())),
    )


def _link(link: LinkSpec, link_id: str, gts: Mapping[str, Any]) -> Resource:
    ends = gts.get("ends", ENDS)
    extra = gts.get("port_attributes", {})
    ports = [Port(end, _pairs(extra.get(end, {}))) for end in sorted(ends, key=_end_order)]
    attributes = dict(gts.get("attributes", {}))
    if rate_of(attributes, (dict(port.attributes) for port in ports)) != link.rate:
        attributes = {key: value for key, value in attributes.items() if key not in RATES}
        attributes.update(rate_attributes(link.rate))
    return Resource(LINK, link_id, None, tuple(ports), _pairs(attributes))


def rate_attributes(rate: float | None) -> dict[str, int | float]:
    """Return the attributes that state a link's rate (Mbit/s)."""
    if rate is None:
        return {}
    return {"capacity": int(rate) if rate == int(rate) else rate}


def _end_order(end: str) -> tuple[Any, ...]:
    return (ENDS.index(end), "") if end in ENDS else (len(ENDS), natural_key(end))


def _link_ends(
    link: LinkSpec, ports: Mapping[str, Mapping[str, str]], gts: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return host, its port and the link's port, for both ends; the source first."""
    ends = gts.get("ends", ENDS)
    both = [(host, ports[host][link.name], end) for host, end in zip((link.a, link.b), ends, strict=True)]
    return sorted(both, key=lambda end: _end_order(end[2]))


def _pairs(attributes: Mapping[str, Any]) -> Attributes:
    return tuple(attributes.items())
