"""A server with clients around it; by default the streaming experiment of Hermans & de Niet.

Source: Hermans & de Niet, *Docker overlay networks*, 2016: the server at BRA streams to
clients at AMS, MIL and LJU, with both ends limited to 10 Mbit/s. Round trips are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from lab.published import HERMANS
from lab.topology import Topology
from topologies.common import check_size, place, with_measured_rtts


def topology(
    server: str = "BRA", clients: Sequence[str] = ("AMS", "MIL", "LJU"), rate: float | None = 10.0
) -> Topology:
    """A link from the server's site to that of each client; `rate` in Mbit/s, None for no limit."""
    check_size("the number of clients of a star", len(clients), 1)
    graph = with_measured_rtts(place(nx.star_graph(len(clients)), (server, *clients), rate), HERMANS)
    return Topology(graph, name="star", description=f"A server at {server} and {len(clients)} clients")
