"""Hosts in rows and columns, each linked with its neighbours: many ways of equal length in hops.

Source: none of the studies; networkx's grid on the known sites, the studied ones first. Round
trips are published ones where there are any, else great-circle estimates.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from lab.topology import Topology
from topologies.common import ALL, check_size, place


def topology(
    rows: int = 3, columns: int = 3, sites: Sequence[str] = ALL, rate: float | None = None
) -> Topology:
    """A grid of so many rows and columns; sites come again when they run out."""
    check_size("rows of a grid", rows, 1)
    check_size("columns of a grid", columns, 1)
    check_size("the number of hosts", rows * columns, 1)
    graph = place(nx.grid_2d_graph(rows, columns), sites, rate)
    return Topology(graph, name="grid", description=f"A grid of {rows} by {columns} hosts")
