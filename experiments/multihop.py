"""Multi-hop: latency and throughput from the first host to every other, over one to five hops.

Zismer 2016, section 4.3.2, figures 15 and 16: Weave's hop-routing over the chain
AMS–PRG–BRA–LJU–MIL–AMS. Latency by netperf's UDP_RR beside the cumulative sum of the
segments' latencies, TCP and UDP throughput by iperf3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from experiments import _multihop_results
from experiments._multihop_results import LATENCY, SEGMENT, TCP, UDP, targets
from experiments.base import Cell, Experiment, Profile, Reading
from lab.errors import MeasureError
from lab.hosts.base import Endpoint
from lab.measure import iperf3, netperf, servers, tool
from lab.report.tables import Table
from lab.runs.folder import Run
from lab.topology import Topology

QUICK = Profile(
    name="quick",
    repetitions={LATENCY: 5, SEGMENT: 3, TCP: 3, UDP: 3},
    seconds={LATENCY: 1, SEGMENT: 1, TCP: 3, UDP: 2},
    warmup={TCP: 3},
    rate=20,
    why="a rate that two cores carry through five hops forwarded in user space",
)
PAPER = Profile(
    name="paper",
    repetitions={LATENCY: 20, SEGMENT: 20, TCP: 20, UDP: 20},
    seconds={LATENCY: 120, SEGMENT: 120, TCP: 120, UDP: 120},
    rate=1000,
    why="the rate of the testbed's ports in 2016",
)


@dataclass(frozen=True)
class Tool:
    """How a metric is measured: argv for (address, seconds, warm-up), and the parser of the output."""

    argv: Callable[[str, float, float], list[str]]
    parse: Callable[[str], Mapping[str, float]]
    facts: Callable[[str], Mapping[str, str]] = lambda raw: {}


_NETPERF = Tool(lambda to, s, _: netperf.latency_argv(to, s), netperf.parse_latency)
TOOLS: Mapping[str, Tool] = {
    LATENCY: _NETPERF,
    SEGMENT: _NETPERF,
    TCP: Tool(iperf3.tcp_argv, iperf3.parse_tcp, iperf3.facts),
    UDP: Tool(lambda to, s, _: iperf3.udp_argv(to, s), iperf3.parse_udp, iperf3.facts),
}


class Multihop(Experiment):
    """From the first host of a topology to every other; for a chain, one hop more each time."""

    name = "multihop"
    summary = "latency and throughput over one to five hops, per overlay"
    source = "Zismer 2016, section 4.3.2, figures 15 and 16"
    topology = "linear"
    overlays = ("underlay", "weave", "libnetwork")
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Latency, TCP and UDP to every host that the first one reaches, and the latency of every link."""
        first, others = topology.hosts[0].name, targets(topology)
        pairs = {metric: [(first, other) for other in others] for metric in (LATENCY, TCP, UDP)}
        pairs[SEGMENT] = [(link.a, link.b) for link in topology.links]
        return [
            Cell(
                overlay,
                metric,
                {"from": a, "to": b, "hops": topology.hops(a, b)},
                profile.repetitions[metric],
                profile.seconds[metric],
                profile.warmup.get(metric, 0.0),
            )
            for metric, ends in pairs.items()
            for a, b in ends
        ]

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Servers on every endpoint."""
        await servers.serve_all(endpoints.values())

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        """What a failed client left behind is ended, and the servers begin anew."""
        await servers.restart_all(endpoints.values())

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        used = TOOLS[cell.metric]
        source, target = endpoints[cell.params["from"]], endpoints[cell.params["to"]]
        argv = used.argv(target.address, cell.seconds, cell.warmup)
        result = await tool.execute(source, argv, cell.duration)
        raw = result.stdout if result.status == 0 else tool.text(result)
        try:
            values = used.parse(raw)
        except MeasureError as error:
            raise MeasureError(error.tool, error.reason, tool.text(result), argv) from None
        return Reading(values, raw, tuple(argv), used.facts(raw))

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return TOOLS[metric].parse(raw)

    def tables(self, run: Run) -> Sequence[Table]:
        return _multihop_results.tables(run)

    def figures(self, run: Run, folder: Path) -> Sequence[Path]:
        return _multihop_results.figures(run, folder)
