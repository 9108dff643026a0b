"""The part of a topology that the language cannot hold, as data that goes beside its document.

Comments would hold it too, but no parser of the service is known, so nobody knows whether
it reads over them. `lab.formats.files` has the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lab.dsl.document import Document
from lab.dsl.from_topology import to_document
from lab.dsl.to_topology import to_topology
from lab.errors import DslError
from lab.topology import LinkSpec, Topology
from lab.topology.impairments import DEFAULTS

HOST_FIELDS = ("name", "cpus", "image")
LINK_FIELDS = (*DEFAULTS, "mtu")
TOPOLOGY_FIELDS = ("name", "separate_parts", "routing", "schedule")


def extract(topology: Topology) -> dict[str, Any]:
    """Return what the language cannot hold of a topology; hosts and links by their ids in the document.

    That is every round trip, since none is in a document, and whatever else is not the
    same when the document is read without this.
    """
    document = to_document(topology)
    sites = topology.graph.graph.get("sites", {})
    bare = to_topology(document, sites)
    found = {
        "lab": 1,
        **_differing(topology, bare, ("name", "separate_parts", "routing")),
        "sites": {name: [float(x) for x in place] for name, place in sites.items()},
        "hosts": _hosts(topology, bare, document),
        "links": _links(topology, bare, document),
        "schedule": topology.graph.graph.get("schedule"),
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def _differing(one: Any, other: Any, fields: Iterable[str]) -> dict[str, Any]:
    return {key: getattr(one, key) for key in fields if getattr(one, key) != getattr(other, key)}


def _hosts(topology: Topology, bare: Topology, document: Document) -> dict[str, Any]:
    pairs = {
        node.id: (topology.host(name), bare.host(other))
        for node, name, other in zip(document.nodes(), topology.graph, bare.graph, strict=True)
    }
    renumbered = any(host.number != other.number for host, other in pairs.values())
    found = {}
    for node_id, (host, other) in pairs.items():
        found[node_id] = _differing(host, other, HOST_FIELDS)
        if renumbered:
            found[node_id]["number"] = host.number
    return {node_id: about for node_id, about in found.items() if about}


def _links(topology: Topology, bare: Topology, document: Document) -> dict[str, Any]:
    nodes = (node.id for node in document.nodes())
    names = {node: both for node, *both in zip(nodes, topology.graph, bare.graph, strict=True)}
    ends = defaultdict(list)
    for end in document.adjacencies:
        ends[end.link].append(names[end.node])
    pairs = {
        link_id: (topology.link(a, b), bare.link(other_a, other_b))
        for link_id, ((a, other_a), (b, other_b)) in ends.items()
    }
    renumbered = any(link.number != other.number for link, other in pairs.values())
    return {link_id: _link(link, other, renumbered) for link_id, (link, other) in pairs.items()}


def _link(link: LinkSpec, other: LinkSpec, renumbered: bool) -> dict[str, Any]:
    about: dict[str, Any] = {"rtt": link.rtt}
    if link.name != f"{link.a}-{link.b}":
        about["name"] = link.name
    if renumbered:
        about["number"] = link.number
    if link.ways:
        about["from"] = {host: dict(own) for host, own in link.ways}
    return about | _differing(link, other, LINK_FIELDS)


def summary(sidecar: Mapping[str, Any]) -> list[str]:
    """Say what a side file holds, in a few words per kind: ``rtt of 5 links``."""
    found = []
    for group in ("hosts", "links"):
        counts: dict[str, int] = {}
        for about in sidecar.get(group, {}).values():
            for key in about:
                counts[key] = counts.get(key, 0) + 1
        words = {key: "one way's own of" if key == "from" else f"{key} of" for key in counts}
        found += [f"{words[key]} {n} {group if n != 1 else group[:-1]}" for key, n in counts.items()]
    found += [f"places of {len(sidecar['sites'])} sites"] if "sites" in sidecar else []
    return found + [f"the topology's {key}" for key in TOPOLOGY_FIELDS if key in sidecar]


def refuse_unknown_ids(sidecar: Mapping[str, Any], document: Document, source: str) -> None:
    """Refuse a side file that names objects its document does not have.

    Raises:
        DslError: naming every such id.
    """
    known = {"hosts": {n.id for n in document.nodes()}, "links": {n.id for n in document.links()}}
    strangers = [i for group, ids in known.items() for i in sidecar.get(group, {}) if i not in ids]
    if strangers:
        names = ", ".join(sorted(strangers)[:20])
        raise DslError(
            f"{source} names {names}, which its document does not have; remove it there or export again"
        )
