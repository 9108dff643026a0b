"""A chain whose ends are joined: two ways between any two hosts; by default the five studied sites.

Source: none of the studies; the thesis's chain closed at Amsterdam, with its round trips. It
shows what an overlay does when there are two ways round.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from lab.topology import Topology
from topologies.common import STUDIED, check_size, place


def topology(sites: Sequence[str] = STUDIED, rate: float | None = None) -> Topology:
    """A ring through these sites in this order; `rate` in Mbit/s for every link, None for no limit."""
    check_size("the number of sites in a ring", len(sites), 3)
    graph = place(nx.cycle_graph(len(sites)), sites, rate)
    return Topology(graph, name="ring", description=f"A ring of {len(sites)} sites")
