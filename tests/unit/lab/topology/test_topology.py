"""Topologies: what they refuse, how they number and address, which way packets go."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import networkx as nx
import pytest

from lab import catalog, plugins
from lab.errors import TopologyError, UnknownName
from lab.topology import Topology
from tests.paths import ROOT
from tests.unit.lab.topology.graphs import graph, refused
from topologies import ring


def test_parts_that_do_not_touch_have_to_be_meant() -> None:
    made = graph()
    made.add_node("c", site="MIL")

    assert refused(made) == (
        "it is in 2 parts without a link between them (that of c is separate) and separate_parts is not set",
    )
    topology = Topology(made, name="x", separate_parts=True)
    with pytest.raises(TopologyError, match="no path from a to c: they are in separate parts"):
        topology.path("a", "c")
    assert topology.routes("c") == ()
    with pytest.raises(TopologyError, match="host 'c' of topology 'x' has no link"):
        topology.address("c")


def test_paths_are_compared_by_round_trip_or_by_links() -> None:
    made = graph()
    made.add_node("c", site="MIL")
    made.add_edge("a", "b", rtt=30)
    made.add_edges_from([("a", "c"), ("c", "b")], rtt=10)
    assert Topology(made, name="x").path("a", "b") == ("a", "c", "b")
    assert Topology(made, name="x").rtt("a", "b") == 20

    made.graph["routing"] = "hops"
    direct = Topology(made, name="x")
    assert direct.path("a", "b") == ("a", "b")
    assert direct.rtt("a", "b") == 30
    assert direct != Topology.from_dict({**direct.to_dict(), "routing": "delay"})
    # of two ways over as many links, the faster
    made.remove_edge("a", "b")
    made.add_node("d", site="MIL")
    made.add_edges_from([("a", "d"), ("d", "b")], rtt=9)
    assert Topology(made, name="x").path("a", "b") == ("a", "d", "b")

    made.graph["routing"] = "luck"
    assert refused(made) == ("routing 'luck' is none of delay, hops",)


def test_the_chain_of_the_thesis() -> None:
    chain = catalog.topology("linear")

    assert [host.name for host in chain.hosts] == ["AMS", "PRG", "BRA", "LJU", "MIL", "AMS2"]
    assert [link.rtt for link in chain.links] == [21.75, 4.70, 41.58, 52.57, 40.63]
    assert [chain.hops("AMS", host.name) for host in chain.hosts] == [0, 1, 2, 3, 4, 5]
    sums = [round(chain.rtt("AMS", host.name), 2) for host in chain.hosts]
    assert sums == [0, 21.75, 26.45, 68.03, 120.60, 161.23]


def test_addresses_interfaces_and_routes_of_the_chain() -> None:
    chain = catalog.topology("linear")

    link = chain.link("BRA", "PRG")
    assert (link.name, link.number, link.subnet, link.prefix) == ("PRG-BRA", 2, "192.168.2.0/24", 24)
    assert (link.address("PRG"), link.address("BRA")) == ("192.168.2.2", "192.168.2.3")
    assert (link.interface("PRG"), link.interface("BRA")) == ("eth2", "eth1")
    assert link.other("PRG") == "BRA"
    assert chain.addresses("PRG") == ("192.168.1.2", "192.168.2.2")
    assert chain.neighbours("PRG") == ("AMS", "BRA")
    assert chain.routes("AMS") == tuple((f"192.168.{n}.0/24", "192.168.1.2") for n in (2, 3, 4, 5))


def test_the_far_end_of_a_link_has_its_own_route_where_the_way_to_it_is_another() -> None:
    """A ring of four: from a, one end of the far link is nearer over b, the other over d."""
    made = nx.relabel_nodes(nx.cycle_graph(4), dict(enumerate("abcd")))
    nx.set_node_attributes(made, "AMS", "site")
    nx.set_edge_attributes(made, 1.0, "rtt")
    made.edges["c", "d"]["rtt"] = 1.5
    ring = Topology(made, name="ring")

    far = ring.link("c", "d")

    routes = dict(ring.routes("a"))
    assert routes[far.subnet] == ring.link("a", "d").address("d")
    assert routes[f"{far.address('c')}/32"] == ring.link("a", "b").address("b")


def test_unknown_names_have_the_nearest_known_one() -> None:
    chain = catalog.topology("linear")

    with pytest.raises(UnknownName, match="unknown host 'PGR'; did you mean 'PRG'"):
        chain.host("PGR")
    with pytest.raises(UnknownName, match="unknown link 'AMS-BRA'"):
        chain.link("AMS", "BRA")


def test_a_topology_does_not_change() -> None:
    chain = catalog.topology("linear")

    with pytest.raises(AttributeError, match="a topology does not change"):
        chain.name = "other"
    with pytest.raises(nx.NetworkXError):
        chain.graph.add_node("x")
    chain.graph.nodes["AMS"]["site"] = "PRG"
    chain.graph.nodes["AMS"]["gts"]["ports"].append("port99")
    assert chain.host("AMS").site == "AMS"
    assert chain == catalog.topology("linear")


def test_the_graph_that_was_given_can_change_afterwards() -> None:
    made = graph(gts={"ends": ["x", "y"]})
    topology = Topology(made, name="x")

    made.add_node("c", site="MIL")
    made.edges["a", "b"]["gts"]["ends"].append("z")

    assert len(topology.hosts) == 2
    assert topology.to_dict()["links"][0]["gts"] == {"ends": ["x", "y"]}


def test_a_rate_for_all_links_makes_another_topology() -> None:
    chain = catalog.topology("linear")

    slower = chain.with_rate(50)

    assert {link.rate for link in slower.links} == {50.0}
    assert {link.rate for link in chain.links} == {None}
    assert slower.with_rate(None) == chain


def test_plain_data_and_pickles_hold_all_of_it() -> None:
    for name in plugins.names("topologies"):
        topology = catalog.topology(name)
        assert Topology.from_dict(json.loads(json.dumps(topology.to_dict()))) == topology
        assert pickle.loads(pickle.dumps(topology)) == topology
        assert hash(pickle.loads(pickle.dumps(topology))) == hash(topology)


def test_names_of_links_stay_apart_where_those_of_hosts_are_ambiguous() -> None:
    made: nx.Graph[str] = nx.Graph([("a", "b-c"), ("a-b", "c"), ("a", "a-b")])
    nx.set_node_attributes(made, "AMS", "site")

    topology = Topology(made, name="x")

    assert sorted(link.name for link in topology.links) == ["a-a-b", "a-b-c", "a-b-c-3"]


def test_beyond_254_hosts_addresses_are_dense() -> None:
    made = nx.relabel_nodes(nx.path_graph(255), {n: f"h{n}" for n in range(255)})
    nx.set_node_attributes(made, "AMS", "site")

    topology = Topology(made, name="long")

    assert topology.links[0].subnet == "100.64.0.0/30"
    assert topology.links[253].address_b == "100.64.3.246"
    assert topology.links[0].prefix == 30


def test_published_figures_fill_in_round_trips_that_are_not_given() -> None:
    assert Topology(graph(), name="x").links[0].rtt == 17.7
    assert Topology(graph(rtt=3), name="x").links[0].rtt == 3.0


@pytest.mark.parametrize(
    "data", [{}, {"name": "x"}, {"name": "x", "hosts": [5], "links": []}, {"hosts": [], "links": []}]
)
def test_data_that_is_no_topology_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(TopologyError):
        Topology.from_dict(data)


def test_topologies_and_the_language_know_nobody_who_knows_them() -> None:
    root = ROOT / "lab"
    modules = [*(root / "topology").glob("*.py"), root / "published" / "__init__.py"]
    known = r"^\s*(?:from|import) (?:lab\.|lab import .*|)(?:catalog|formats|draw|cli|topologies)\b"
    knows = re.compile(known, re.MULTILINE)
    for module in [*modules, *(root / "dsl").glob("*.py")]:
        assert not knows.search(module.read_text()), module


def test_what_runs_holds_on_to_numbers_and_addresses_when_others_come_and_go() -> None:
    # given a ring that runs, and the same one without one of its hosts and with a new one
    running = ring.topology()
    graph = nx.Graph(running.graph)
    graph.remove_node("PRG")
    graph.add_node("NEW", site="AMS")
    graph.add_edge("NEW", "AMS", rtt=1.0)
    # when it takes over what runs
    wanted = Topology(graph, name="changed").numbered_like(running)
    # then what stays is as it was, and what is new has numbers and interfaces that nobody had
    stays = [link for link in running.links if "PRG" not in (link.a, link.b)]
    assert [link for link in wanted.links if "NEW" not in (link.a, link.b)] == stays
    assert wanted.host("NEW").number == 1 + max(host.number for host in running.hosts)
    new = wanted.link("AMS", "NEW")
    assert new.number == 1 + max(link.number for link in running.links)
    assert new.interface("AMS") == "eth3"
    assert Topology.from_dict(wanted.to_dict()) == wanted
