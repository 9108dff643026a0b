"""A chain of sites; by default the six hosts AMS-PRG-BRA-LJU-MIL-AMS of the multi-hop experiment.

Source: Zismer, *Performance of Docker Overlay Networks*, 2016, figure 9 and appendix A
("WeaveHop"), with the mean round trips that it published: 21.75, 4.70, 41.58, 52.57 and
40.63 ms. A site that comes twice gives two hosts, the second with a 2 after its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import networkx as nx

from lab.topology import Topology

CHAIN = ("AMS", "PRG", "BRA", "LJU", "MIL", "AMS")


def topology(sites: Sequence[str] = CHAIN, rate: float | None = None) -> Topology:
    """A chain through these sites in this order; `rate` in Mbit/s for every link, None for no limit."""
    graph: nx.Graph[str] = nx.Graph()
    seen: Counter[str] = Counter()
    for site in sites:
        seen[site.upper()] += 1
        times = seen[site.upper()]
        graph.add_node(site.upper() if times == 1 else f"{site.upper()}{times}", site=site)
    nx.add_path(graph, list(graph), rate=rate)
    return Topology(graph, name="linear", description=f"A chain of {len(graph)} hosts")
