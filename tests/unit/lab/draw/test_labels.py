"""Labels, and topologies for Graphviz and Mermaid."""

from __future__ import annotations

import networkx as nx

from lab import catalog
from lab.draw import labels as diagram
from lab.draw.layout import picture
from lab.topology import Topology


def test_graphviz_and_mermaid() -> None:
    star = catalog.topology("star")

    assert '  "BRA" -- "AMS" [label="17.7 ms\\n10 Mbit/s"];' in diagram.dot(star)
    assert '  h1 -- "17.7 ms<br/>10 Mbit/s" --- h2' in diagram.mermaid(star)
    assert diagram.mermaid(star).startswith("graph LR\n")


def test_a_host_without_a_site_has_no_place_and_no_label_of_it() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge("a", "b", rtt=10)
    topology = Topology(graph, name="x")
    assert '"a" [label="a"];' in diagram.dot(topology)
    assert diagram.host_label(topology, "a") == ["a"]
    assert len(set(picture(topology).hosts.values())) == 2
