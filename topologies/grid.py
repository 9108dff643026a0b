"""Hosts in rows and columns, each linked with its neighbours: many ways of equal length in hops.

Source: none of the studies; networkx's grid on the known sites, the studied ones first. Round
trips are published ones where there are any, else great-circle estimates.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from lab.topology import Topology
from topologies._shapes import ALL, at_least, place


def topology(
    rows: int = 3, columns: int = 3, sites: Sequence[str] = ALL, rate: float | None = None
) -> Topology:
    """A grid of so many rows and columns; sites come again when they run out."""
    at_least(1, "rows of a grid", rows)
    at_least(1, "columns of a grid", columns)
    graph = place(nx.grid_2d_graph(rows, columns), sites, rate)
    return Topology(graph, name="grid", description=f"A grid of {rows} by {columns} hosts")
