"""Two hosts and one link; by default Amsterdam and Bratislava.

Source: Zismer, *Performance of Docker Overlay Networks*, 2016, listing 4.1, whose names
the GTS document has (vmAMS, vmBRA, vmLink). The round trip between these two sites is
that of Hermans & de Niet 2016: 17.7 ms.
"""

from __future__ import annotations

import networkx as nx

from lab.topology import Topology
from topologies.common import place


def topology(a: str = "AMS", b: str = "BRA", rate: float | None = None) -> Topology:
    """A host at each of two sites, which may be the same; `rate` in Mbit/s, None for no limit."""
    graph = place(nx.path_graph(2), (a, b), rate)
    for host in graph:
        graph.nodes[host]["gts"] = {"id": f"vm{host}", "ports": ["port"]}
    first, second = graph
    graph.edges[first, second]["gts"] = {"id": "vmLink"}
    graph.graph["gts"] = {"name": f"{first}_{second}"}
    return Topology(graph, name="point_to_point", description=f"{first}-{second}")
