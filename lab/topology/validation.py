"""Validation of a topology's graph: every fault of it, each as half a sentence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeGuard, get_args

import networkx as nx

from lab.topology import impairments
from lab.topology.addressing import DENSE_LINKS
from lab.topology.sites import SITES

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
KINDS = ("host", "ofx", "vsi", "baremetalserver")
NODE_ATTRIBUTES = ("site", "cpus", "image", "kind", "order", "gts")
EDGE_ATTRIBUTES = ("rtt", *impairments.PARAMETERS, "from", "mtu", "name", "order", "gts")
#: By what paths are compared: round trip in sum and then links, or links and then round trip.
Routing = Literal["delay", "hops"]
ROUTINGS: tuple[Routing, ...] = get_args(Routing)
#: What only a lab that runs gives to its hosts and links.
HELD = ("number", "place")
#: Of a link that is: its place, whatever comes or goes beside it.
PLACE = ("subnet", "address_a", "address_b", "interface_a", "interface_b")

#: Attribute: least, most, unit. What lies outside is a slip of the pen, not a network.
RANGES: Mapping[str, tuple[float, float, str]] = {
    **impairments.RANGES,
    "rtt": (0.0, 10_000.0, "ms"),
    "mtu": (68, 65_535, "bytes"),
    "cpus": (0.01, 1024.0, "CPUs"),
}


def faults(graph: nx.Graph[Any], separate_parts: bool) -> list[str]:
    """Return everything that keeps a graph from being a topology; empty when nothing does."""
    if graph.is_directed() or graph.is_multigraph():
        return ["the graph must be undirected, with at most one link between two hosts"]
    sites = graph.graph.get("sites", {})
    if not isinstance(sites, Mapping):
        return [f"sites {sites!r} is no mapping of names to places"]
    found = [*_site_faults(sites), *_odd(graph.graph)]
    if (routing := graph.graph.get("routing", ROUTINGS[0])) not in ROUTINGS:
        found.append(f"routing {routing!r} is none of {', '.join(ROUTINGS)}")
    known = dict.fromkeys([*SITES, *(str(name).upper() for name in sites)])
    for node, attributes in graph.nodes(data=True):
        found += (f"host {node!r}: {fault}" for fault in _host_faults(node, attributes, known))
    for a, b, attributes in graph.edges(data=True):
        found += (f"link {a!r}-{b!r}: {fault}" for fault in _link_faults(a, b, attributes))
    return found + list(_whole_faults(graph, separate_parts))


def _site_faults(sites: Mapping[str, Any]) -> Iterator[str]:
    for name, place in sites.items():
        if not (isinstance(name, str) and SITE_NAME.fullmatch(name)):
            yield f"site {name!r}: a name has letters, digits, '_' and '-'"
        if not _is_place(place):
            yield f"site {name!r}: its place must be latitude (-90 to 90) and longitude (-180 to 180)"


def _is_place(place: Any) -> bool:
    if not isinstance(place, (list, tuple)) or len(place) != 2:
        return False
    return all(_number(x) for x in place) and abs(place[0]) <= 90 and abs(place[1]) <= 180


def _host_faults(node: Any, attributes: Mapping[str, Any], sites: Collection[str]) -> Iterator[str]:
    if not (isinstance(node, str) and NAME.fullmatch(node)):
        yield "a name is a letter, then letters, digits, '_' or '-', at most 63 in all"
    yield from _unknown(attributes, NODE_ATTRIBUTES)
    yield from _odd(attributes)
    site = attributes.get("site")
    if not isinstance(site, str):
        yield "it has no site" if site is None else f"site {site!r} is not text"
    elif site.upper() not in sites:
        yield impairments.unknown(site, sites, "site")
    yield from _out_of_range(attributes, ("cpus",))
    image = attributes.get("image")
    if image is not None and not (isinstance(image, str) and re.fullmatch(r"\S+", image)):
        yield f"image {image!r} is not the name of an image"
    if attributes.get("kind", "host") not in KINDS:
        yield f"kind {attributes['kind']!r} is none of {', '.join(KINDS)}"


def _link_faults(a: Any, b: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    if a == b:
        yield "it joins a host to itself"
    yield from _unknown(attributes, EDGE_ATTRIBUTES)
    yield from _odd(attributes)
    yield from _out_of_range(attributes, ("rtt", "mtu"))
    yield from impairments.faults({k: v for k, v in attributes.items() if k in impairments.PARAMETERS})
    yield from _direction_faults(a, b, attributes.get("from", {}))
    name = attributes.get("name")
    if name is not None and not (isinstance(name, str) and re.fullmatch(r"\S+", name)):
        yield f"name {name!r} is not text without blanks"


def _direction_faults(a: Any, b: Any, directions: Any) -> Iterator[str]:
    """Yield what is wrong with what holds for one direction only, by the host that sends into it."""
    if not isinstance(directions, Mapping):
        yield f"from {directions!r} is no mapping of its two hosts to what holds for what they send"
        return
    for host, own in directions.items():
        if host not in (a, b):
            yield f"from {host!r}: that is neither of its hosts"
        elif not isinstance(own, Mapping):
            yield f"from {host!r}: {own!r} is no mapping of parameters"
        else:
            yield from (f"from {host!r}: {fault}" for fault in impairments.faults(own))


def combined_faults(graph: nx.Graph[Any]) -> list[str]:
    """Return the faults that can only be told once every attribute has its value."""
    found: list[str] = []
    for a, b, edge in graph.edges(data=True):
        found += (f"link {a!r}-{b!r}: {fault}" for fault in _combined_link_faults(a, b, edge))
    for what, rows in (("hosts", graph.nodes(data=True)), ("links", graph.edges(data=True))):
        held = Counter(row[-1]["number"] for row in rows if "number" in row[-1])
        found += [f"{times} {what} have the number {number}" for number, times in held.items() if times > 1]
    names = Counter(edge["name"] for _, _, edge in graph.edges(data=True) if edge.get("name"))
    return found + [f"{times} links are named {name!r}" for name, times in names.items() if times > 1]


def _combined_link_faults(a: str, b: str, edge: Mapping[str, Any]) -> Iterator[str]:
    given = [one.get("delay") for one in edge["from"].values()]
    if sum(map(float, filter(None, given))) > edge["rtt"] + 1e-9:
        yield f"its delays are more than its round trip of {edge['rtt']:g} ms"
        return
    same = direction_values(edge, a) == direction_values(edge, b)
    for host in (a,) if same else (a, b):
        prefix = "" if same else f"from {host!r}: "
        yield from (prefix + fault for fault in impairments.combined_faults(direction_values(edge, host)))


def direction_values(edge: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Return all impairments of a completed edge in the direction into which a host sends.

    Where one direction has a delay of its own, the other one has the rest of the round trip.
    """
    own = edge["from"].get(host, {})
    others = [other["delay"] for name, other in edge["from"].items() if name != host and "delay" in other]
    rest = edge["rtt"] - others[0] if others else edge["rtt"] / 2
    return {"delay": rest, **{key: edge[key] for key in impairments.DEFAULTS}, **own}


def _unknown(attributes: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    for name in attributes:
        if name not in known and name not in HELD:
            yield impairments.unknown(name, known)


def _odd(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults of what only the lab itself writes, but any file may hold."""
    if not _number(attributes.get("order", 0)):
        yield f"order {attributes['order']!r} is not a number"
    number = attributes.get("number", 1)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        yield f"number {number!r} is not a whole number from 1"
    place = attributes.get("place")
    if place is not None and not (isinstance(place, Mapping) and set(place) == set(PLACE)):
        yield f"place {place!r} is not what the lab writes"
    gts = attributes.get("gts", {})
    if not isinstance(gts, Mapping) or any(not _is_gts(key, value) for key, value in gts.items()):
        yield f"gts {gts!r} is not what the lab writes"


def _is_gts(key: Any, value: Any) -> bool:
    """Return True for a part of what a testbed document says beyond a topology (`lab.dsl.from_topology`)."""
    if key in ("id", "name"):
        return isinstance(value, str)
    if key in ("ports", "spare", "ends", "order"):
        return isinstance(value, (list, tuple)) and all(isinstance(port, str) for port in value)
    if key == "blocks":
        return isinstance(value, (list, tuple)) and all(len(b) == 2 and _flat(b[1]) for b in value)
    if key == "port_attributes":
        return isinstance(value, Mapping) and all(_flat(inner) for inner in value.values())
    return key == "attributes" and _flat(value)


def _flat(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_plain, value.values()))


def _plain(value: Any) -> bool:
    """Return True for what a document can hold: text, true, false, a number that reads back as it was."""
    if isinstance(value, (str, bool)):
        return True
    return _number(value) and (isinstance(value, float) or abs(value) < 10**40)


def _out_of_range(attributes: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if (value := attributes.get(name)) is not None:
            yield from impairments.out_of_range(name, value, RANGES[name])


def _whole_faults(graph: nx.Graph[Any], separate_parts: bool) -> Iterator[str]:
    if not graph:
        yield "it has no hosts"
        return
    if graph.number_of_edges() > DENSE_LINKS:
        yield f"{graph.number_of_edges()} links are more than the addresses hold ({DENSE_LINKS})"
    parts = [] if separate_parts else list(nx.connected_components(graph))
    if len(parts) > 1:
        smaller = sorted(parts, key=len)[:-1]
        names = ", ".join(str(min(part, key=str)) for part in smaller)
        yield f"it is in {len(parts)} parts that do not touch (that of {names} is apart) and does not say so"


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
