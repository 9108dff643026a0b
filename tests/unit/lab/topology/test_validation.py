"""Validation of topologies: what a graph cannot be, each fault with its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest

from lab.errors import TopologyError
from lab.topology import Topology
from lab.topology.validation import COORDINATES
from tests.unit.lab.topology.graphs import graph, refused


@pytest.mark.parametrize(
    ("edge", "fault"),
    [
        ({"rtt": -1}, "link 'a'-'b': rtt -1 ms is not between 0 and 10000"),
        ({"rtt": float("nan")}, "link 'a'-'b': rtt nan is not a number"),
        ({"rtt": True}, "link 'a'-'b': rtt True is not a number"),
        ({"rtt": "20"}, "link 'a'-'b': rtt '20' is not a number"),
        ({"rate": 0}, "link 'a'-'b': rate 0 Mbit/s is not between 0.001 and 1e+06"),
        ({"loss": 100}, "link 'a'-'b': loss 100 percent is not between 0 and 99.9"),
        ({"mtu": 20}, "link 'a'-'b': mtu 20 bytes is not between 68 and 65535"),
        ({"mtu": 1400.5}, "link 'a'-'b': mtu 1400.5 is not a whole number of bytes"),
        ({"rtt": 10, "jitter": 6}, "link 'a'-'b': jitter 6 ms is more than the 5 ms of each direction"),
        (
            {"lag": 10},
            (
                "link 'a'-'b': unknown attribute 'lag' (known: burst, corrupt, delay, distribution, "
                "duplicate, from, gts, jitter, loss, mtu, name, order, queue, rate, reorder, rtt)"
            ),
        ),
        ({"bw": 10}, "link 'a'-'b': unknown attribute 'bw' (did you mean 'rate'?)"),
        (
            {"rtt": "10mn"},
            (
                "link 'a'-'b': rtt '10mn' is not a number: mn is no unit for it; "
                "write us, µs, ms, s, or a number alone for ms"
            ),
        ),
        (
            {"mtu": "1 kB"},
            "link 'a'-'b': mtu '1 kB' is not a number: kB is no unit for it; it is a number of bytes",
        ),
        ({"ratee": 10}, "link 'a'-'b': unknown attribute 'ratee' (did you mean 'rate'?)"),
        ({"name": "a b"}, "link 'a'-'b': name 'a b' is not text without blanks"),
        ({"order": "x"}, "link 'a'-'b': order 'x' is not a number"),
        ({"gts": {"id": 1}}, "link 'a'-'b': gts {'id': 1} is not what the lab writes"),
    ],
)
def test_a_link_that_cannot_be_is_refused(edge: dict[str, Any], fault: str) -> None:
    assert refused(graph(**edge)) == (fault,)


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ({"site": "AMX"}, "host 'c': unknown site 'AMX' (did you mean 'AMS'?)"),
        ({"coordinates": [91, 0]}, f"host 'c': {COORDINATES}"),
        ({"site": "AMS", "coordinates": [1, 2]}, "host 'c': it has a site and coordinates; give one of them"),
        ({"site": 5}, "host 'c': site 5 is not text"),
        ({"site": "AMS", "cpus": 0}, "host 'c': cpus 0 CPUs is not between 0.01 and 1024"),
        ({"site": "AMS", "image": "a b"}, "host 'c': image 'a b' is not the name of an image"),
        (
            {"site": "AMS", "kind": "router"},
            "host 'c': kind 'router' is none of host, ofx, vsi, baremetalserver",
        ),
    ],
)
def test_a_host_that_cannot_be_is_refused(node: dict[str, Any], fault: str) -> None:
    made = graph()
    made.add_node("c", **node)

    assert refused(made, separate_parts=True) == (fault,)


def test_every_fault_is_named_at_once() -> None:
    made = graph(rtt=-1)
    made.add_node("9", site="XXX")
    made.add_edge("a", "a", loss=200)

    found = refused(made)

    assert len(found) == 6
    with pytest.raises(TopologyError, match="link 'a'-'a': it joins a host to itself"):
        Topology(made, name="x")


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.MultiGraph])
def test_only_simple_undirected_graphs_are_taken(kind: Callable[..., Any]) -> None:
    assert refused(kind(graph())) == (
        "the graph must be undirected, with at most one link between two hosts",
    )


def test_an_empty_graph_is_no_topology() -> None:
    assert refused(nx.Graph()) == ("it has no hosts",)


def test_two_hosts_cannot_hold_one_number() -> None:
    graph = nx.Graph()
    graph.add_node("a", site="AMS", number=1)
    graph.add_node("b", site="AMS", number=1)
    graph.add_edge("a", "b", rtt=1.0)
    with pytest.raises(TopologyError, match="2 hosts have the number 1"):
        Topology(graph, name="twice")


@pytest.mark.parametrize(
    ("edge", "fault"),
    [
        ({"from": {"c": {"loss": 1}}}, "from 'c': that is neither of its hosts"),
        ({"from": {"a": {"los": 1}}}, "from 'a': unknown attribute 'los' (did you mean 'loss'?)"),
        ({"from": {"a": {"loss": -1}}}, "from 'a': loss -1 percent is not between 0 and 99.9"),
        ({"from": {"a": 5}}, "from 'a': 5 is no mapping of parameters"),
        ({"from": 5}, "from 5 is no mapping of its two hosts to what holds for what they send"),
        ({"rtt": 10, "from": {"a": {"delay": 11}}}, "its delays are more than its round trip of 10 ms"),
        ({"rtt": 10, "burst": 3}, "bursts of 3 packets need a loss"),
        ({"rtt": 0, "reorder": 3}, "packets cannot overtake others without a delay"),
        ({"rtt": 10, "distribution": "x"}, "distribution 'x' is none of normal, uniform, pareto"),
        (
            {"rtt": 10, "from": {"a": {"jitter": 6}}},
            "from 'a': jitter 6 ms is more than the 5 ms of each direction",
        ),
    ],
)
def test_what_a_direction_cannot_be_is_refused(edge: dict[str, Any], fault: str) -> None:
    import networkx as nx

    graph: nx.Graph[Any] = nx.Graph()
    graph.add_node("a", site="AMS")
    graph.add_node("b", site="PRG")
    graph.add_edge("a", "b", **edge)
    with pytest.raises(TopologyError) as told:
        Topology(graph, name="t")
    assert f"link 'a'-'b': {fault}" in str(told.value)
    graph.edges["a", "b"].clear()
    graph.edges["a", "b"].update(delay=7)
    assert Topology(graph, name="t").link("a", "b").rtt == 14.0


def test_a_link_needs_a_round_trip_where_an_end_has_no_site() -> None:
    made: nx.Graph[str] = nx.Graph()
    made.add_node("a", site="AMS")
    made.add_node("b")
    made.add_edge("a", "b")
    words = "link 'a'-'b': it has no rtt, and b has no site to estimate it by; write 'rtt: 10ms', or 'b: AMS'"
    assert refused(made) == (words,)
    for edge in ({"rtt": 10}, {"delay": 5}, {"from": {"a": {"delay": 4}, "b": {"delay": 6}}}):
        made.edges["a", "b"].clear()
        made.edges["a", "b"].update(edge)
        assert Topology(made, name="x").links[0].rtt == 10


def test_faults_of_every_kind_are_told_at_once() -> None:
    made: nx.Graph[str] = nx.Graph()
    made.add_nodes_from(["a", "b", "c"], site="AMS")
    made.add_node("d", site="AMX")
    made.add_edge("a", "b", rtt=10, jitter=50)
    made.add_edge("b", "c", rtt=-1)
    made.add_edge("c", "d", rtt=4, jitter=3)
    made.graph["schedule"] = [{"at": 1, "link": "a-z", "down": True}, {"at": 1, "link": "c-b", "down": True}]
    assert refused(made) == (
        "host 'd': unknown site 'AMX' (did you mean 'AMS'?)",
        "link 'b'-'c': rtt -1 ms is not between 0 and 10000",
        "link 'a'-'b': jitter 50 ms is more than the 5 ms of each direction",
        "link 'c'-'d': jitter 3 ms is more than the 2 ms of each direction",
        "schedule, change 1: unknown link 'a-z' (did you mean 'a-b'?)",
    )
