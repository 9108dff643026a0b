"""Validation of a topology's graph: every fault of it, each as half a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal, TypeGuard, get_args

import networkx as nx

from lab.topology import impairments
from lab.topology.addressing import DENSE_LINKS
from lab.topology.sites import SITES
from lab.util import documents
from lab.util.documents import shown

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
#: Never an option: a name that begins with '-' would be one on a command line of Docker.
IMAGE = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:/@\[\]-]{0,499}")
LINK_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,200}")
KINDS = ("host", "ofx", "vsi", "baremetalserver")
NODE_ATTRIBUTES = ("site", "coordinates", "cpus", "image", "kind", "order", "gts")
EDGE_ATTRIBUTES = ("rtt", *impairments.PARAMETERS, "from", "mtu", "name", "order", "gts")
#: By what paths are compared: round trip in sum and then links, or links and then round trip.
Routing = Literal["delay", "hops"]
ROUTINGS: tuple[Routing, ...] = get_args(Routing)
#: What only a lab that runs gives to its hosts and links.
HELD = ("number", "place")
#: Of a link that is: its place, whatever comes or goes beside it.
PLACE = ("subnet", "address_a", "address_b", "interface_a", "interface_b")
COORDINATES = "its coordinates must be latitude (-90 to 90) and longitude (-180 to 180)"
INTERFACE = re.compile(r"[^\s/:\x00-\x1f\x7f-\xff]{1,64}")

#: Attribute: least, most, unit. What lies outside is a slip of the pen, not a network.
RANGES: Mapping[str, tuple[float, float, str]] = {
    **impairments.RANGES,
    "rtt": (0.0, 10_000.0, "ms"),
    "mtu": (68, 65_535, "bytes"),
    "cpus": (0.01, 1024.0, "CPUs"),
}


class TopologyFault(str):
    """Half a sentence about what is wrong, and the host, or the two hosts of the link, that it is about."""

    place: tuple[Any, ...]

    def __new__(cls, text: str, *place: Any) -> TopologyFault:
        fault = super().__new__(cls, text)
        fault.place = place
        return fault


def about_faults(name: Any, description: Any, separate_parts: Any) -> list[str]:
    """Return what is wrong with what a topology says of itself."""
    found = [
        f"its {what} {shown(value)} is not text"
        for what, value in (("name", name), ("description", description))
        if not _text(value)
    ]
    if not isinstance(separate_parts, bool):
        found.append(f"separate_parts {shown(separate_parts)} is neither true nor false")
    return found


def faults(graph: nx.Graph[Any], separate_parts: bool) -> list[str]:
    """Return everything that keeps a graph from being a topology; empty when nothing does."""
    if graph.is_directed() or graph.is_multigraph():
        return ["the graph must be undirected, with at most one link between two hosts"]
    sites = graph.graph.get("sites", {})
    if not isinstance(sites, Mapping):
        return [f"sites {shown(sites)} is no mapping of names to places"]
    found = [*_site_faults(sites), *_odd(graph.graph)]
    if (routing := graph.graph.get("routing", ROUTINGS[0])) not in ROUTINGS:
        found.append(f"routing {shown(routing)} is none of {', '.join(ROUTINGS)}")
    known = dict.fromkeys([*SITES, *(str(name).upper() for name in sites)])
    for node, attributes in graph.nodes(data=True):
        words = f"host {shown(node)}"
        found += (TopologyFault(f"{words}: {fault}", node) for fault in _host_faults(node, attributes, known))
    for a, b, attributes in graph.edges(data=True):
        own = [*_link_faults(a, b, attributes), *_length_faults(graph, a, b, attributes)]
        found += (TopologyFault(f"link {a!r}-{b!r}: {fault}", a, b) for fault in own)
    return found + list(_whole_faults(graph, separate_parts))


def sound(graph: nx.Graph[Any], found: Iterable[str]) -> nx.Graph[Any]:
    """Return the part of a graph that has none of these faults: its other faults can be looked for.

    It is empty where a fault is about the graph as a whole.
    """
    places = [fault.place if isinstance(fault, TopologyFault) else () for fault in found]
    if () in places:
        return nx.Graph()
    part: nx.Graph[Any] = nx.Graph(graph)
    part.remove_edges_from(place for place in places if len(place) == 2)
    for host in {place[0] for place in places if len(place) == 1}:
        part.nodes[host].clear()  # its links stay, where they do not need its site
        part.remove_edges_from([pair for pair in part.edges(host) if part.edges[pair].get("rtt") is None])
    return part


def link_ends(graph: nx.Graph[Any]) -> dict[str, tuple[Any, Any]]:
    """Return the two hosts of each link by every name that it may get."""
    found: dict[str, tuple[Any, Any]] = {}
    for a, b, edge in graph.edges(data=True):
        found |= dict.fromkeys([edge["name"]] if edge.get("name") else [f"{a}-{b}", f"{b}-{a}"], (a, b))
    return found


def _site_faults(sites: Mapping[str, Any]) -> Iterator[str]:
    for name, place in sites.items():
        if not (isinstance(name, str) and SITE_NAME.fullmatch(name)):
            yield f"site {shown(name)}: a name has letters, digits, '_' and '-'"
        if not is_place(place):
            yield f"site {shown(name)}: its place must be latitude (-90 to 90) and longitude (-180 to 180)"


def is_place(place: Any) -> bool:
    """Return True for a pair of latitude and longitude (degrees)."""
    if not isinstance(place, (list, tuple)) or len(place) != 2:
        return False
    return all(_number(x) for x in place) and abs(place[0]) <= 90 and abs(place[1]) <= 180


def _host_faults(node: Any, attributes: Mapping[str, Any], sites: Collection[str]) -> Iterator[str]:
    if not (isinstance(node, str) and NAME.fullmatch(node)):
        yield "a name is a letter, then letters, digits, '_' or '-', at most 63 in all"
    yield from _unknown(attributes, NODE_ATTRIBUTES)
    yield from _odd(attributes)
    site = attributes.get("site")
    if "coordinates" in attributes:  # those that make a site have become one by now
        yield "it has a site and coordinates; give one of them" if site else COORDINATES
    elif not isinstance(site, str | None):
        yield f"site {shown(site)} is not text"
    elif site and site.upper() not in sites:
        yield impairments.unknown(site, sites, "site")
    yield from _out_of_range(attributes, ("cpus",))
    image = attributes.get("image")
    if image is not None and not (isinstance(image, str) and IMAGE.fullmatch(image)):
        yield f"image {shown(image)} is not the name of an image"
    if attributes.get("kind", "host") not in KINDS:
        yield f"kind {shown(attributes['kind'])} is none of {', '.join(KINDS)}"


def _link_faults(a: Any, b: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    if a == b:
        yield "it joins a host to itself"
    yield from _unknown(attributes, EDGE_ATTRIBUTES)
    yield from _odd(attributes)
    yield from _out_of_range(attributes, ("rtt", "mtu"))
    yield from impairments.faults({k: v for k, v in attributes.items() if k in impairments.PARAMETERS})
    yield from _direction_faults(a, b, attributes.get("from", {}))
    name = attributes.get("name")
    if name is not None and not (isinstance(name, str) and LINK_NAME.fullmatch(name)):
        yield f"name {shown(name)} is not text without blanks"


def _length_faults(graph: nx.Graph[Any], a: Any, b: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fault of a link that has no round trip, and an end without a site to estimate it by."""
    own = attributes.get("from")
    both = isinstance(own, Mapping) and all(
        isinstance(own.get(end), Mapping) and "delay" in own[end] for end in (a, b)
    )
    homeless = [end for end in (a, b) if not graph.nodes[end].get("site")]
    if attributes.get("rtt") is None and attributes.get("delay") is None and not both and homeless:
        host = homeless[0]
        yield f"it has no rtt, and {host} has no site to estimate it by; write 'rtt: 10ms', or '{host}: AMS'"


def _direction_faults(a: Any, b: Any, directions: Any) -> Iterator[str]:
    """Yield what is wrong with what holds for one direction only, by the host that sends into it."""
    if not isinstance(directions, Mapping):
        yield f"from {shown(directions)} is no mapping of its two hosts to what holds for what they send"
        return
    for host, own in directions.items():
        if host not in (a, b):
            yield f"from {shown(host)}: that is neither of its hosts"
        elif not isinstance(own, Mapping):
            yield f"from {host!r}: {shown(own)} is no mapping of parameters"
        else:
            yield from (f"from {host!r}: {fault}" for fault in impairments.faults(own))


def combined_faults(graph: nx.Graph[Any]) -> list[str]:
    """Return the faults that can only be told once every attribute has its value."""
    found: list[str] = []
    for a, b, edge in graph.edges(data=True):
        found += (
            TopologyFault(f"link {a!r}-{b!r}: {fault}", a, b) for fault in _combined_link_faults(a, b, edge)
        )
    for what, rows in (("hosts", graph.nodes(data=True)), ("links", graph.edges(data=True))):
        held = Counter(row[-1]["number"] for row in rows if "number" in row[-1])
        found += [f"{times} {what} have the number {number}" for number, times in held.items() if times > 1]
    held_links = [edge["number"] for _, _, edge in graph.edges(data=True) if "number" in edge]
    if held_links and max(held_links) + graph.number_of_edges() - len(held_links) > DENSE_LINKS:
        found.append(f"its links have numbers beyond those that the addresses hold ({DENSE_LINKS})")
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
        yield f"order {shown(attributes['order'])} is not a number"
    number = attributes.get("number", 1)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= DENSE_LINKS:
        yield f"number {shown(number)} is not a whole number from 1 to {DENSE_LINKS}"
    place = attributes.get("place")
    if place is not None and not (isinstance(place, Mapping) and _is_link_place(place)):
        yield f"place {shown(place)} is not what the lab writes"
    gts = attributes.get("gts", {})
    if not isinstance(gts, Mapping) or any(not _is_gts(key, value) for key, value in gts.items()):
        yield f"gts {shown(gts)} is not what the lab writes"


def _is_link_place(place: Mapping[Any, Any]) -> bool:
    if set(place) != set(PLACE) or not all(isinstance(value, str) for value in place.values()):
        return False
    try:
        subnet = IPv4Network(place["subnet"])
        inside = all(IPv4Address(place[key]) in subnet for key in ("address_a", "address_b"))
    except ValueError:
        return False
    return inside and all(INTERFACE.fullmatch(place[key]) for key in ("interface_a", "interface_b"))


def _is_gts(key: Any, value: Any) -> bool:
    """Return True for a part of what a testbed document says beyond a topology (`lab.dsl.from_topology`)."""
    if key in ("id", "name"):
        return _text(value)
    if key in ("ports", "spare", "ends", "order"):
        two = key != "ends" or (isinstance(value, (list, tuple)) and len(value) == 2)
        return two and isinstance(value, (list, tuple)) and all(map(_text, value))
    if key == "blocks":
        return isinstance(value, (list, tuple)) and all(map(_is_block, value))
    if key == "port_attributes":
        return isinstance(value, Mapping) and all(_flat(inner) for inner in value.values())
    return key == "attributes" and _flat(value)


def _is_block(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and _text(value[0]) and _flat(value[1])


def _text(value: Any) -> bool:
    return isinstance(value, str) and documents.encodable(value)


def _flat(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value)) and all(map(_plain, value.values()))


def _plain(value: Any) -> bool:
    """Return True for what a document can hold: text, true, false, a number that reads back as it was."""
    if isinstance(value, (str, bool)):
        return isinstance(value, bool) or documents.encodable(value)
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
        apart = f"{len(parts)} parts without a link between them (that of {names} is separate)"
        yield f"it is in {apart} and separate_parts is not set"


def _number(value: Any) -> TypeGuard[float]:
    return documents.number(value) is not None
