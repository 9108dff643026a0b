"""What most experiments share: traffic from one endpoint to another, by tools that are named by metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.measure import iperf3, netperf, tool, tool_servers
from lab.report import charts
from lab.report.charts import Chart
from lab.report.tables import Table
from lab.runs.experiment import Cell, Experiment, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

LATENCY, TCP, UDP, UDP_SMALL = "latency", "tcp", "udp", "udp1470"
#: The control, the three overlays of 2016, and the one that relays in user space on every machine.
OVERLAYS = ("underlay", "libnetwork", "flannel", "weave", "tinc")
#: A quarter of a CPU per host: two hosts and the link between them then fit on two cores, and what
#: limits a sample is the host, as it was in 2016, when every machine had one vCPU. With half a
#: CPU, UDP took 80 % of two cores and the link let packets go late.
QUARTER = 0.25
#: How the hosts of an overlay's own pair begin, where there are four; others use the first pair.
PAIRS = {"underlay": "vm", "libnetwork": "lib", "weave": "weave", "flannel": "flan"}
BOUND = "the testbed's ports, and a quarter of a CPU per host, so that the host sets the pace as in 2016"


@dataclass(frozen=True)
class Tool:
    """How a metric is measured: argv for (address, cell), the parser of the output, and words about it.

    `one_way`: what is sent does not wait for answers (`Cell`).
    """

    argv: Callable[[str, Cell], list[str]]
    parse: Callable[[str], Mapping[str, float]]
    facts: Callable[[str], Mapping[str, str]] = lambda raw: {}
    one_way: bool = False


def tcp(**more: Any) -> Tool:
    """One TCP stream; see `iperf3.tcp_argv`."""
    return Tool(
        lambda to, cell: iperf3.tcp_argv(to, cell.seconds, cell.warmup, **more),
        iperf3.parse_tcp,
        iperf3.facts,
    )


def udp(datagram: int | None = None) -> Tool:
    """Datagrams of this size, as many as the links carry, which in 2016 was 1000 Mbit/s."""

    def argv(to: str, cell: Cell) -> list[str]:
        offered = cell.rate or iperf3.UDP_OFFERED
        return iperf3.udp_argv(to, cell.seconds, cell.warmup, offered=offered, datagram=datagram)

    return Tool(argv, iperf3.parse_udp, iperf3.facts, one_way=True)


def latency() -> Tool:
    """One small request and its response at a time."""
    return Tool(lambda to, cell: netperf.latency_argv(to, cell.seconds), netperf.parse_latency)


async def apply(used: Tool, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
    """Run a cell's tool between the endpoints that its `from` and `to` name.

    Raises:
        MeasureError: the tool failed; its raw text is in the error.
    """
    source, target = endpoints[cell.params["from"]], endpoints[cell.params["to"]]
    argv = used.argv(target.address_for(cell.params["from"]), cell)
    result = await tool.execute(source, argv, cell.duration)
    raw = result.stdout if result.status == 0 else tool.output(result)
    try:
        values = used.parse(raw)
    except MeasureError as error:
        raise MeasureError(error.tool, error.reason, tool.output(result), argv) from None
    return Reading(values, raw, tuple(argv), used.facts(raw))


def ends(topology: Topology, overlay: str = "") -> dict[str, str]:
    """The first host and the neighbour on its first link, as a cell's `from` and `to`.

    In the thesis's four pairs (its figure 8) it is the overlay's own pair that is measured.
    """
    own = PAIRS.get(overlay.partition(":")[0], "") if topology.name == "four_pairs" else ""
    first = next(host.name for host in topology.hosts if host.name.startswith(own))
    return {"from": first, "to": topology.neighbours(first)[0]}


class Traffic(Experiment):
    """An experiment whose metrics are tools between two endpoints, and whose results are charts."""

    overlays: ClassVar[tuple[str, ...]] = OVERLAYS
    warm_up = 1.0
    tools: ClassVar[Mapping[str, Tool]]
    charts: ClassVar[Sequence[Chart]]

    def cell(self, overlay: str, metric: str, profile: Profile, **params: Any) -> Cell:
        """A cell with the profile's repetitions and times for its metric."""
        used = self.tools.get(metric)
        return Cell(
            overlay,
            metric,
            params,
            profile.repetitions[metric],
            profile.seconds[metric],
            profile.warmup.get(metric, 0.0),
            one_way=used is not None and used.one_way,
            rate=profile.rate,
        )

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Servers on every endpoint."""
        await tool_servers.serve_all(endpoints.values())

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        """What a failed client left behind is ended, and the servers begin anew."""
        await tool_servers.restart_all(endpoints.values())

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        return await apply(self.tools[cell.metric], cell, endpoints)

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return self.tools[metric].parse(raw)

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [charts.table(run, chart) for chart in self.charts]

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return [file for chart in self.charts for file in charts.draw(run, chart, folder)]
