"""Strategies for topologies and for documents, for anybody's property tests.

from tests.property.strategies import topologies

@given(topologies())
def test_something(topology): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
from hypothesis import strategies as st

from lab.dsl.document import LINK, NODES, Attributes, Document, Port, Resource, Value
from lab.dsl.from_topology import to_document
from lab.topology import Topology
from lab.topology.sites import SITES
from lab.topology.validation import ROUTINGS

FIRST = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NAMES = st.one_of(
    st.integers(1, 12).map(lambda n: f"h{n}"),
    st.integers(1, 9).map(lambda n: f"l{n}"),
    st.sampled_from(["AMS", "AMS2", "a-b", "c", "a", "b-c", "port1", "src", "link1", "host_1", "X" * 63]),
    st.sampled_from(["type", "host", "link", "port", "controller", "adjacency", "true"]),
    st.text(FIRST + "0123456789_-", min_size=1, max_size=8).filter(lambda n: n[0] in FIRST),
)
OWN_SITES = {"OSL": (59.91, 10.75), "NEW-YORK": (40.71, -74.0), "X1": (0.0, 0.0)}
TEXTS = st.one_of(
    st.just(""), st.text(max_size=20), st.sampled_from(['"', "\\", "${x}", "a\r\nb", "// no", "é😀"])
)
RATES = st.one_of(st.sampled_from([None, None, 10, 100.5, 0.001, 1_000_000]), st.floats(0.001, 1_000_000))
NUMBERS = st.one_of(st.integers(-(10**39), 10**39), st.floats(allow_nan=False, allow_infinity=False))
SHARES = st.sampled_from([0.0, 0.0, 0.5, 99.9])
RTTS = st.one_of(st.just(0.0), st.floats(0, 10_000).map(lambda x: round(x, 3)), st.floats(0, 1))


def _links(draw: Callable[[Any], Any], graph: nx.Graph[str]) -> None:
    """A few attributes on every link; jitter fits the delay."""
    for number, (a, b, link) in enumerate(graph.edges(data=True)):
        if draw(st.booleans()):
            link["rtt"] = draw(RTTS)
            link["jitter"] = draw(st.sampled_from([0.0, 0.5])) * link["rtt"]
        link["rate"] = draw(RATES)
        link["loss"] = draw(st.sampled_from([0.0, 0.0, 0.5, 99.9]))
        link["mtu"] = draw(st.sampled_from([1500, 1500, 68, 65535]))
        link["queue"] = draw(st.sampled_from([None, None, 70_000]))
        link["duplicate"] = draw(st.sampled_from([None, 0.0, 2.5]))
        link["distribution"] = draw(st.sampled_from([None, "normal", "pareto"]))
        if link["loss"] == 0.5:
            link["burst"] = draw(st.sampled_from([None, 4.0]))
        if draw(st.integers(0, 7)) == 0:
            link["name"] = f"named{number}"
        if draw(st.integers(0, 2)) == 0:
            _impair(draw, a, b, link)


def _impair(draw: Callable[[Any], Any], a: str, b: str, link: dict[str, Any]) -> None:
    """What few links say: of both directions, and of one or each of them."""
    link["distribution"] = draw(st.sampled_from([None, "normal", "uniform", "pareto"]))
    link["burst"] = draw(st.sampled_from([None, 1000.0, 1e5])) if link["loss"] else None
    link["duplicate"], link["corrupt"] = draw(SHARES), draw(SHARES)
    link["queue"] = draw(st.sampled_from([None, 1, 15_000, 1_000_000]))
    ways = {}
    for host in draw(st.lists(st.sampled_from([a, b]), unique=True)):
        one_way = {"rate": RATES, "corrupt": SHARES, **({} if link["burst"] else {"loss": SHARES})}
        ways[host] = draw(st.fixed_dictionaries({}, optional=one_way))
    if ways and link.get("rtt") and not link["jitter"]:
        delay = round(link["rtt"] * draw(st.sampled_from([0.0, 0.25, 0.5, 0.75])), 3)
        ways[next(iter(ways))]["delay"] = min(delay, link["rtt"], 5000.0)
    link["from"] = ways


def _schedule(draw: Callable[[Any], Any], topology: Topology) -> dict[str, Any]:
    """Now and then, changes of links that are there."""
    if not topology.links or draw(st.integers(0, 3)):
        return {}
    found = []
    for link in draw(st.lists(st.sampled_from(topology.links), max_size=3)):
        at = draw(st.sampled_from([0, 1.5, "30s", "500 ms", "2min"]))
        whole = draw(
            st.sampled_from([{"down": True}, {"up": True}, {"reset": True}, {"rtt": 5}, {"loss": 100.0}])
        )
        sent = draw(st.sampled_from([{"rate": None}, {"loss": 5, "burst": 3}, {"delay": 0.5}]))
        one_way = draw(st.sampled_from([{}, {"from": link.a}, {"from": link.b}]))
        found.append({"at": at, "link": link.name, **draw(st.sampled_from([whole, {**sent, **one_way}]))})
    return {"schedule": found}


@st.composite
def topologies(draw: Callable[[Any], Any], max_hosts: int = 7, kinds: bool = True) -> Topology:
    """Any valid topology of a few hosts, in one part or several, with own sites and numbers."""
    names = draw(st.lists(NAMES, min_size=1, max_size=max_hosts, unique=True))
    graph: nx.Graph[str] = nx.Graph()
    sites = [*SITES, "prg"] if draw(st.booleans()) else [*SITES, *OWN_SITES]
    if len(sites) > len(SITES) + 1:
        graph.graph["sites"] = OWN_SITES
    for name in names:
        graph.add_node(name, site=draw(st.sampled_from(sites)))
        if draw(st.integers(0, 3)) == 0:
            graph.nodes[name].update(
                cpus=draw(st.sampled_from([None, 0.5, 2])), image=draw(st.sampled_from([None, "a/b:1"]))
            )
        if kinds and draw(st.integers(0, 5)) == 0:
            graph.nodes[name]["kind"] = draw(st.sampled_from(NODES))
    pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
    if pairs:
        graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), max_size=12)))
    _links(draw, graph)
    if draw(st.booleans()):
        for name, order in zip(graph, draw(st.permutations(range(len(graph)))), strict=True):
            graph.nodes[name]["order"] = order
    parts = not nx.is_connected(graph) or draw(st.booleans())
    about = {"name": draw(st.one_of(NAMES, TEXTS)), "description": draw(TEXTS), "separate_parts": parts}
    graph.graph |= draw(st.sampled_from([{}, *({"routing": by} for by in ROUTINGS)]))
    graph.graph.update(_schedule(draw, Topology(graph, **about)))
    return Topology(graph, **about)


ATTRIBUTES: dict[str, dict[str, st.SearchStrategy[Value]]] = {
    "host": {
        "cpuSpeed": st.one_of(st.sampled_from([2, 2.5, "3"]), NUMBERS),
        "flavorId": st.sampled_from(["c2r2h10", "tiny"]),
        "imageId": TEXTS,
    },
    "ofx": {"fabricIPv4": st.just("10.0.0.1"), "controllerPort": st.sampled_from(["6633", 6633])},
    "vsi": {"switchMode": st.just("hard")},
    "baremetalserver": {"image": st.just("debian.iso"), "flag": st.booleans()},
    LINK: {"capacity": st.sampled_from([10, "10", 100.0, 0.5]), "bandwidth": st.sampled_from([500, "500"])},
}


@st.composite
def attributes(draw: Callable[[Any], Any], kind: str) -> Attributes:
    """Some attributes that a resource of this kind may have."""
    known = ATTRIBUTES[kind]
    chosen = draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=2))
    return tuple((name, draw(known[name])) for name in chosen)


@st.composite
def documents(draw: Callable[[Any], Any]) -> Document:
    """Any valid document: ids, ports and attributes as people choose them."""
    plain = to_document(draw(topologies(max_hosts=5)))
    rename = {
        r.id: draw(st.sampled_from([r.id, f"x-{r.id}", f"${r.id}", f"9{r.id}"])) for r in plain.resources
    }
    resources = [_richer(draw, resource, rename[resource.id]) for resource in plain.resources]
    name = draw(st.sampled_from(["Net", "A_B", "$x", "type1", plain.name]))
    return Document(
        name,
        draw(st.sampled_from([None, name, "some id", ""])),
        plain.description,
        tuple(resources),
        tuple(_renamed(end, rename) for end in plain.adjacencies),
        draw(st.one_of(st.just(()), NUMBERS.map(lambda number: (("version", number),)))),
    )


def _richer(draw: Callable[[Any], Any], resource: Resource, new_id: str) -> Resource:
    spare = draw(st.lists(st.sampled_from(["p", "eth9", "a-b", "port0"]), unique=True, max_size=2))
    ports = resource.ports if resource.kind == LINK else (*resource.ports, *(Port(p) for p in spare))
    lined = draw(st.sampled_from([(), (), (("lineRate", 1),), (("mode", "CONTROL"),)]))
    ports = tuple(replace(port, attributes=lined) for port in ports)
    more = draw(attributes(resource.kind)) if draw(st.booleans()) else resource.attributes
    blocks = (("controller", (("ipv4", "1.2.3.4"), ("port", "6633"))),) if resource.kind == "vsi" else ()
    return replace(resource, id=new_id, ports=ports, attributes=more, blocks=blocks)


def _renamed(end: Any, rename: dict[str, str]) -> Any:
    return replace(end, node=rename[end.node], link=rename[end.link])
