"""A corner: two hosts that reach each other only by way of a third."""

from __future__ import annotations

import networkx as nx

from lab.topology import Topology


def topology(near: float = 8.0, far: float = 12.0, rate: float | None = 20.0) -> Topology:
    """Return the west host, the corner and the south host, with a link between neighbours.

    A topology is a function. Users give its arguments on the command line: ``corner:near=5,rate=50``.
    So every parameter has a type and a default.

    Args:
        near: round trip of the first link (ms).
        far: round trip of the second link (ms).
        rate: of both links (Mbit/s); None for no limit.
    """
    graph: nx.Graph[str] = nx.Graph()
    # A host is a node; `site` is one of `lab.topology.sites`, or any name of your own with its place.
    graph.add_node("west", site="AMS")
    graph.add_node("corner", site="PRG")
    graph.add_node("south", site="MIL")
    # A link is an edge; `rtt` is imposed half in each direction. The order of links numbers the interfaces.
    graph.add_edge("west", "corner", rtt=near, rate=rate)
    graph.add_edge("corner", "south", rtt=far, rate=rate)
    # `Topology` checks the graph, and names everything that is wrong with it at once.
    return Topology(graph, name="corner", description="Two hosts that meet at a corner")
