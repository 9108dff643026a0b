"""Two hosts and one link; by default Amsterdam and Bratislava.

Source: Zismer, *Performance of Docker Overlay Networks*, 2016, listing 4.1. The round trip
between these two sites is from Hermans & de Niet 2016 (17.7 ms).
"""

from __future__ import annotations

import networkx as nx

from lab.topology import Topology


def topology(a: str = "AMS", b: str = "BRA", rate: float | None = None) -> Topology:
    """A host at each of two sites, which may be the same; `rate` in Mbit/s, None for no limit."""
    first, second = a.upper(), b.upper()
    if first == second:
        second = f"{second}2"
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node(first, site=a)
    graph.add_node(second, site=b)
    graph.add_edge(first, second, rate=rate)
    return Topology(graph, name="point_to_point", description=f"A link between {first} and {second}")
