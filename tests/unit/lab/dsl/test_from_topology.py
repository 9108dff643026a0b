"""Documents of topologies: their names and ids."""

from __future__ import annotations

import networkx as nx
import pytest

from lab import dsl
from lab.errors import TopologyError
from lab.topology import Topology


def test_names_that_are_no_identifier_are_made_one() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")

    assert dsl.export(Topology(graph, name="my net")).startswith("mynet {")
    assert dsl.export(Topology(graph, name="9 é")).startswith("Topology9 {")


def test_hosts_that_are_named_like_links_do_not_collide_with_them() -> None:
    graph: nx.Graph[str] = nx.path_graph(["l1", "ll1"])
    nx.set_node_attributes(graph, "AMS", "site")

    assert "adjacency l1.port1, lll1.src" in dsl.export(Topology(graph, name="x"))


def test_two_resources_of_one_id_cannot_be_written() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS", gts={"id": "b"})
    graph.add_node("b", site="AMS")

    with pytest.raises(TopologyError, match="two resources have the id b"):
        dsl.export(Topology(graph, name="x", separate_parts=True))
