"""A chain of sites; by default the six hosts AMS-PRG-BRA-LJU-MIL-AMS of the multi-hop experiment.

Source: Zismer, *Performance of Docker Overlay Networks*, 2016, figure 9 and appendix A
("WeaveHop"), with the mean round trips that it published: 21.75, 4.70, 41.58, 52.57 and
40.63 ms. A site that comes twice gives two hosts, the second with a 2 after its name.
In a GTS document the hosts are called as in the appendix: hostA, hostB, ….
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import networkx as nx

from lab.topology import Topology
from topologies.common import check_size, place

CHAIN = ("AMS", "PRG", "BRA", "LJU", "MIL", "AMS")
FIRST_PORT = 10  # the appendix counts ports through all hosts, from port10


def topology(sites: Sequence[str] = CHAIN, rate: float | None = None) -> Topology:
    """A chain through these sites in this order; `rate` in Mbit/s for every link, None for no limit."""
    check_size("the number of sites in a chain", len(sites), 2)
    graph = place(nx.path_graph(len(sites)), sites, rate)
    if len(sites) <= len(ascii_uppercase):
        _call_as_in_the_appendix(graph)
    if [site.upper() for site in sites] != list(CHAIN):
        return Topology(graph, name="linear", description=f"A chain of {len(sites)} hosts")
    graph.graph["gts"] = {"name": "WeaveHop", "id": "weave-hop"}
    return Topology(graph, name="linear", description="Test Weave's hop-routing feature")


def _call_as_in_the_appendix(graph: nx.Graph[str]) -> None:
    letters = dict(zip(graph, ascii_uppercase, strict=False))
    port = FIRST_PORT
    for host, letter in letters.items():
        ports = [f"port{port + n}" for n in range(graph.degree(host))]
        graph.nodes[host]["gts"] = {"id": f"host{letter}", "ports": ports}
        port += len(ports)
    for a, b, link in graph.edges(data=True):
        link["gts"] = {"id": f"{letters[a]}to{letters[b]}"}
