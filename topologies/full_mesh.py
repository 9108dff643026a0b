"""Every site linked with every other; by default the five of Hermans & de Niet.

Source: Hermans & de Niet, *Docker overlay networks*, 2016. They asked for ten circuits
between five sites and measured six, since Prague's machines did not work. Round trips are
theirs (the mean of their three sets of machines); those to Prague are Zismer's or estimates.
A path of two circuits can be faster than the one between its ends: LJU-MIL is 59.23 ms
directly and 57.7 ms over BRA by their own figures. Theirs were measurements of circuits, from
one machine to the other, so every packet here takes the link that its ends have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import networkx as nx

from lab.published import HERMANS
from lab.topology import Topology
from lab.topology.addressing import DENSE_LINKS
from topologies.common import STUDIED, check_size, place, with_measured_rtts


def topology(sites: Sequence[str] = STUDIED, rate: float | None = None, loss: float = 0) -> Topology:
    """A full mesh of these sites.

    Every link has `rate` in Mbit/s, None for no limit. Each direction loses `loss` percent of its packets.
    """
    check_size("the number of sites in a mesh", len(sites), 2, isqrt(2 * DENSE_LINKS))
    graph = with_measured_rtts(place(nx.complete_graph(len(sites)), sites, rate), HERMANS)
    graph.graph["routing"] = "hops"
    if loss:
        for _, _, edge in graph.edges(data=True):
            edge["loss"] = loss
    return Topology(graph, name="full_mesh", description=f"Full mesh between {len(sites)} sites")
