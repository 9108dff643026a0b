"""Congestion: TCP over one to five hops by congestion control, and what Weave's datapath counted.

Ours: the thesis saw TCP drop after the first hop and could not explain it (section 6.3). If the
control of the sender is the reason, the drop changes with it; if relayed packets miss the flows
of Weave's fast datapath and go up to user space, the counters of the routers in the middle show
it: they are read before and after every sample (``datapath`` in samples.jsonl).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments.common.profiles import FIVE_HOPS, Times, link_bound, paper
from experiments.common.traffic import TCP, Tool, Traffic, tcp
from experiments.congestion import results
from experiments.congestion.results import CLAIMS, CONTROLS
from experiments.multihop.results import targets
from lab.report.charts import Chart, Series
from lab.report.tables import Table
from lab.runs.experiment import Cell, Profile
from lab.runs.run_folder import StoredRun
from lab.topology import Topology


class Congestion(Traffic):
    """From the first host of a chain to every other, with three congestion controls."""

    name = "congestion"
    summary = "bbr, cubic and reno over one to five hops"
    source = "ours; the question of Zismer 2016, section 6.3"
    topology = "linear"
    claims = CLAIMS
    overlays = ("underlay", "weave:mode=sleeve", "weave:mode=fastdp", "libnetwork")
    #: They relay too, as Weave's routers do.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {"weave:mode=sleeve": ("yggdrasil", "tinc")}
    profiles = link_bound({TCP: Times(3, 2, 3)}, 10, FIVE_HOPS, paper(TCP))
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp(congestion="control")}
    charts = (
        Chart(
            name="congestion",
            title="TCP throughput over several hops by congestion control",
            x=("hops",),
            x_label="hops",
            y_label="received, Mbit/s",
            series=tuple(Series(name, TCP, "received_mbps", {"control": name}) for name in CONTROLS),
        ),
        Chart(
            name="congestion-retransmits",
            title="Retransmitted TCP segments, by congestion control",
            x=("hops",),
            x_label="hops",
            y_label="retransmitted segments",
            series=tuple(Series(name, TCP, "retransmits", {"control": name}) for name in CONTROLS),
            digits=0,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Pair every control with every host that the first one reaches."""
        first = topology.hosts[0].name
        return [
            self.cell(
                overlay,
                TCP,
                profile,
                **{"from": first, "to": other, "hops": topology.hops(first, other), "control": control},
            )
            for other in targets(topology)
            for control in CONTROLS
        ]

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [*super().tables(run), *results.datapaths(run)]
