"""Four pairs of hosts that do not touch, each a link from Amsterdam to Bratislava.

Source: Zismer, *Performance of Docker Overlay Networks*, 2016, figure 8 and appendix A: one
pair for each thing compared, plain virtual machines (vm), libnetwork (lib), Weave (weave)
and Flannel (flan), so that they never share a machine or a circuit. Round trip: 17.7 ms, of
Hermans & de Niet 2016.
"""

from __future__ import annotations

import networkx as nx

from lab.topology import Topology

PAIRS = ("vm", "lib", "weave", "flan")


def topology(a: str = "AMS", b: str = "BRA", rate: float | None = None) -> Topology:
    """The four pairs between two sites; `rate` in Mbit/s for every link, None for no limit."""
    sites = (a.upper(), b.upper() if a.upper() != b.upper() else f"{b.upper()}2")
    graph: nx.Graph[str] = nx.Graph(gts={"name": f"{sites[0]}_{sites[1]}"})
    for pair in PAIRS:
        ends = [f"{pair}{name}" for name in sites]
        for end, site in zip(ends, (a, b), strict=True):
            graph.add_node(end, site=site, gts={"ports": ["port"]})
        graph.add_edge(*ends, rate=rate, gts={"id": f"{pair}Link"})
    return Topology(
        graph, name="four_pairs", description="Four point-to-point connections", separate_parts=True
    )
