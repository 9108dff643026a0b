"""Multi-hop: latency and throughput from the first host to every other, over one to five hops.

Zismer 2016, section 4.3.2, figures 15 and 16: Weave's hop-routing over the chain
AMS–PRG–BRA–LJU–MIL–AMS. Latency by netperf's UDP_RR beside the cumulative sum of the
segments' latencies, TCP and UDP throughput by iperf3: UDP in datagrams that fit one
packet, and in ``paper`` in those of 2016 (8192 bytes) and of iperf 2 (1470) too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from experiments.common.profiles import FIVE_HOPS, Times, link_bound, paper
from experiments.common.traffic import (
    LATENCY,
    TCP,
    UDP,
    UDP_LARGE,
    UDP_SMALL,
    Tool,
    Traffic,
    latency,
    tcp,
    udp,
)
from experiments.multihop import results
from experiments.multihop.claims import CLAIMS
from experiments.multihop.results import SEGMENT, targets
from lab.measure.iperf3 import UDP_2016, UDP_IPERF2
from lab.report.tables import Table
from lab.runs.experiment import Cell, Profile
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

TIMES = {LATENCY: Times(3, 2), TCP: Times(3, 2, 2), UDP: Times(3, 1, 1)}
#: Numbers of hops that ``quick`` measures besides the most: what the claims of the thesis are about.
FEW_HOPS = (1, 2)
#: What only ``paper`` measures.
ONLY_PAPER = (SEGMENT, UDP_LARGE, UDP_SMALL)
LEFT_OUT = (
    "quick measures over one, two and the most hops; --profile paper measures over each number of hops, "
    f"the latency of every single link, and UDP in datagrams of {UDP_2016} and {UDP_IPERF2} bytes too"
)


class Multihop(Traffic):
    """From the first host of a topology to every other; for a chain, one hop more each time."""

    name = "multihop"
    summary = "latency and throughput over one to five hops, per overlay"
    source = "Zismer 2016, section 4.3.2, figures 15 and 16"
    topology = "linear"
    claims = CLAIMS
    overlays = ("underlay", "weave", "libnetwork")
    #: They relay too, as Weave's routers do.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {"weave": ("yggdrasil", "tinc")}
    profiles = link_bound(TIMES, 10, FIVE_HOPS, paper(*TIMES, *ONLY_PAPER), LEFT_OUT)
    tools: ClassVar[Mapping[str, Tool]] = {
        LATENCY: latency(),
        SEGMENT: latency(),
        TCP: tcp(),
        UDP: udp(),
        UDP_LARGE: udp(UDP_2016),
        UDP_SMALL: udp(UDP_IPERF2),
    }

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Reach hosts from the first by the profile's metrics: every one, and every link by latency as well,
        or those of `FEW_HOPS` and the farthest where the profile does not measure single links.
        """
        first, others = topology.hosts[0].name, targets(topology)
        whole = SEGMENT in profile.repetitions
        if not whole:
            hops = {other: topology.hops(first, other) for other in others}
            others = [other for other in others if hops[other] in (*FEW_HOPS, max(hops.values()))]
        metrics = [one for one in self.tools if one != SEGMENT and one in profile.repetitions]
        pairs = {metric: [(first, other) for other in others] for metric in metrics}
        if whole:
            pairs[SEGMENT] = [(link.a, link.b) for link in topology.links]
        return [
            self.cell(overlay, metric, profile, **{"from": a, "to": b, "hops": topology.hops(a, b)})
            for metric, ends in pairs.items()
            for a, b in ends
        ]

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return results.tables(run)

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return results.figures(run, folder)
