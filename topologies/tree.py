"""A root with branches that branch again: one way between any two hosts, of very unlike lengths.

Source: none of the studies; networkx's balanced tree on the known sites, the studied ones
first. Round trips are published ones where there are any, else great-circle estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import networkx as nx

from lab.errors import TopologyError
from lab.topology import Topology
from topologies.common import ALL, LARGEST, check_size, place


def topology(
    branches: int = 2, height: int = 2, sites: Sequence[str] = ALL, rate: float | None = None
) -> Topology:
    """Return a tree of this height, with so many branches per host; sites repeat when they run out."""
    check_size("branches of a tree", branches, 1)
    check_size("height of a tree", height, 1)
    if any(hosts > LARGEST for hosts in accumulate(branches**level for level in range(height + 1))):
        raise TopologyError(
            f"a tree of {branches} branches and height {height} has more than {LARGEST:,} hosts"
        )
    graph = place(nx.balanced_tree(branches, height), sites, rate)
    return Topology(graph, name="tree", description=f"A tree of {len(graph)} hosts")
