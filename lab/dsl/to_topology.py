"""From a checked document to a topology; the counterpart of `lab.dsl.from_topology`.

The order of a text means nothing: hosts and links are numbered by their ids in natural
order (h2 before h10), unless a side file gives their numbers. What `to_document` would
choose by itself is not kept in ``gts``, so that a topology comes back as it was.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx

from lab.dsl.document import ENDS, Attributes, Document, Resource, natural_key
from lab.dsl.from_topology import document_name, link_prefix, port_names, rate_attributes
from lab.dsl.gts_rules import cpus_of, rate_of
from lab.errors import TopologyError
from lab.topology import Topology
from lab.topology.impairments import PARAMETERS
from lab.topology.validation import NAME

#: link id to its two ends, the lower-numbered host first: (node id, port, port of the link).
Ends = dict[str, list[tuple[str, str, str]]]
Sidecar = Mapping[str, Any]
EMPTY: Sidecar = {}
#: What a side file may say of a link.
LINK_KEYS = ("rate", "rtt", "mtu", "name", "from", *(key for key in PARAMETERS if key != "rate"))


def to_topology(
    document: Document, sites: Mapping[str, tuple[float, float]] | None = None, sidecar: Sidecar = EMPTY
) -> Topology:
    """Return the topology of a document that has no faults.

    Args:
        document: what `lab.dsl.read` gave.
        sites: further sites, as name to (latitude, longitude).
        sidecar: what a side file adds, by ids (`lab.dsl.sidecar`).

    Raises:
        TopologyError: the side file asks for what no topology can be.
    """
    hosts, links = sidecar.get("hosts", EMPTY), sidecar.get("links", EMPTY)
    names = _names(document, hosts)
    numbers = _numbers((node.id for node in document.nodes()), hosts)
    link_numbers = _numbers((link.id for link in document.links()), links)
    ends = _ends(document, numbers)
    graph: nx.Graph[Any] = nx.Graph()
    if further := {**(sites or {}), **sidecar.get("sites", {})}:
        graph.graph["sites"] = further
    graph.graph |= {key: sidecar[key] for key in ("routing", "schedule") if key in sidecar}
    connected = _connected_ports(ends, link_numbers)
    for node in document.nodes():
        added = {"cpus": cpus_of(dict(node.attributes)), "image": None, **hosts.get(node.id, EMPTY)}
        about = {"site": node.location, "kind": node.kind, "cpus": added["cpus"], "image": added["image"]}
        graph.add_node(names[node.id], order=numbers[node.id], **about)
        _attach_gts(graph.nodes[names[node.id]], _node_gts(node, names[node.id], connected[node.id]))
    prefix = link_prefix(numbers)
    for link in document.links():
        a, b = (names[node] for node, _, _ in ends[link.id])
        added = {"rate": _rate(link), **links.get(link.id, EMPTY)}
        about = {key: added[key] for key in LINK_KEYS if key in added}
        graph.add_edge(a, b, order=link_numbers[link.id], **about)
        _attach_gts(graph.edges[a, b], _link_gts(link, ends[link.id], f"{prefix}{link_numbers[link.id]}"))
    name = sidecar.get("name", document.name)
    _attach_gts(graph.graph, _document_gts(document, name, link_numbers))
    return Topology(
        graph,
        name=name,
        description=document.description,
        separate_parts=sidecar.get("separate_parts", not nx.is_connected(graph)),
    )


def _names(document: Document, sidecar: Sidecar) -> dict[str, str]:
    """Return each node's name: the side file's, else its id where that can be a name, else made from it."""
    given = {node.id: sidecar.get(node.id, EMPTY).get("name", node.id) for node in document.nodes()}
    names = {node: name for node, name in given.items() if NAME.fullmatch(name)}
    taken = set(names.values())
    if len(taken) < len(names):
        twice = sorted(name for name, count in Counter(names.values()).items() if count > 1)
        raise TopologyError(f"the side file gives one name to two hosts: {', '.join(twice)}")
    made: Counter[str] = Counter()
    for node in sorted(given.keys() - names.keys(), key=natural_key):
        names[node] = _free(node, taken, made)
        taken.add(names[node])
    return names


def _free(node_id: str, taken: Iterable[str], made: Counter[str]) -> str:
    """Return a name that is not taken; `made` counts how many were tried for each beginning."""
    base = re.sub(r"[^A-Za-z0-9_-]", "", node_id).lstrip("0123456789_-")[:50] or "host"
    while True:
        made[base] += 1
        name = base if made[base] == 1 else f"{base}-{made[base]}"
        if name not in taken:
            return name


def _numbers(ids: Iterable[str], sidecar: Sidecar) -> dict[str, int]:
    """Numbers from 1: first what the side file numbers, in its order, then the rest in natural order."""
    last = float("inf")
    ordered = sorted(ids, key=lambda i: (sidecar.get(i, EMPTY).get("number", last), natural_key(i)))
    return {node: number for number, node in enumerate(ordered, start=1)}


def _ends(document: Document, numbers: Mapping[str, int]) -> Ends:
    ends: Ends = defaultdict(list)
    for end in document.adjacencies:
        ends[end.link].append((end.node, end.port, end.link_port))
    for pair in ends.values():
        pair.sort(key=lambda end: numbers[end[0]])
    return ends


def _connected_ports(ends: Ends, link_numbers: Mapping[str, int]) -> defaultdict[str, list[str]]:
    """Return the ports of each node that meet a link, by the number of the link."""
    connected: defaultdict[str, list[str]] = defaultdict(list)
    for link in sorted(ends, key=lambda link: link_numbers[link]):
        for node, port, _ in ends[link]:
            connected[node].append(port)
    return connected


def _rate(link: Resource) -> float | None:
    return rate_of(dict(link.attributes), (dict(port.attributes) for port in link.ports))


def _attach_gts(attributes: dict[str, Any], gts: Mapping[str, Any]) -> None:
    if kept := {key: value for key, value in gts.items() if value}:
        attributes["gts"] = kept


def _node_gts(node: Resource, name: str, connected: list[str]) -> dict[str, Any]:
    spare = sorted({port.id for port in node.ports} - set(connected), key=natural_key)
    return {
        "id": node.id if node.id != name else None,
        "ports": connected if connected != port_names((), spare, len(connected)) else None,
        "spare": spare,
        "port_attributes": _port_attributes(node),
        "attributes": _plain(node.attributes),
        "blocks": [[block, dict(inner)] for block, inner in sorted(node.blocks)],
    }


def _link_gts(link: Resource, ends: list[tuple[str, str, str]], default_id: str) -> dict[str, Any]:
    at_ends = [end for _, _, end in ends]
    attributes = _plain(link.attributes)
    quoted = any(isinstance(value, (str, bool)) for value in attributes.values())
    return {
        "id": link.id if link.id != default_id else None,
        "ends": at_ends if at_ends != list(ENDS) else None,
        "port_attributes": _port_attributes(link),
        "attributes": attributes if quoted or attributes != rate_attributes(_rate(link)) else None,
    }


def _port_attributes(resource: Resource) -> dict[str, Any]:
    ports = sorted(resource.ports, key=lambda port: natural_key(port.id))
    return {port.id: _plain(port.attributes) for port in ports if port.attributes}


def _plain(attributes: Attributes) -> dict[str, Any]:
    return dict(sorted(attributes))


def _document_gts(document: Document, name: str, link_numbers: Mapping[str, int]) -> dict[str, Any]:
    in_text = [link.id for link in document.links()]
    return {
        "name": document.name if document.name != document_name(name) else None,
        "id": document.id if document.id != document.name else None,
        "attributes": _plain(document.attributes),
        "order": in_text if in_text != sorted(in_text, key=lambda link: link_numbers[link]) else None,
    }
