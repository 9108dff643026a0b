"""Traffic from one endpoint to another, by tools that are named by metric: the base of most experiments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from experiments.common import claims
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.measure import iperf3, netperf, receive_errors, tool, tool_servers
from lab.report import charts
from lab.report.charts import Chart
from lab.report.presentation import PresentedExperiment
from lab.report.tables import Table
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

LATENCY, TCP, UDP, UDP_SMALL, UDP_LARGE = "latency", "tcp", "udp", "udp1470", "udp8192"
#: The fact of a sample: datagrams that found the receiving socket's buffer full.
OVERFLOW = "receive_buffer_errors"
#: The control, the three overlays of 2016, and the one that relays in user space on every machine.
OVERLAYS = ("underlay", "libnetwork", "flannel", "weave", "tinc")
#: First letters of the hosts of an overlay's own pair, where there are four; others use the first pair.
PAIRS = {"underlay": "vm", "libnetwork": "lib", "weave": "weave", "flannel": "flan"}


@dataclass(frozen=True)
class Tool:
    """A measuring tool: argv for (address, cell), the parser of its output, and facts about how it ran."""

    argv: Callable[[str, Cell], list[str]]
    parse: Callable[[str], Mapping[str, float]]
    facts: Callable[[str], Mapping[str, str]] = lambda raw: {}
    #: Count the datagrams that the target's program was too slow to take, as the fact `OVERFLOW`.
    counts_overflow: bool = False

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint], **facts: str) -> Reading:
        """Run the tool between the endpoints that a cell's `from` and `to` name; add `facts` to the reading.

        Raises:
            MeasureError: the tool failed; its raw text is in the error.
        """
        source, target = endpoints[cell.params["from"]], endpoints[cell.params["to"]]
        argv = self.argv(target.address_for(cell.params["from"]), cell)
        before = await receive_errors.read(target) if self.counts_overflow else None
        result = await tool.execute(source, argv, cell.duration)
        if before is not None and (after := await receive_errors.read(target)) is not None:
            facts[OVERFLOW] = str(after - before)
        raw = result.stdout if result.status == 0 else tool.output(result)
        try:
            values = self.parse(raw)
        except MeasureError as error:
            raw = tool.output(result)
            raise MeasureError(error.tool, error.reason, raw, argv, error.traffic) from None
        return Reading(values, raw, tuple(argv), {**self.facts(raw), **facts})


def tcp(**params: str) -> Tool:
    """One TCP stream; `params` maps options of `iperf3.tcp_argv` to the cell's parameters.

    The sender's congestion control is the cell's own, unless it is one of these.
    """

    def argv(to: str, cell: Cell) -> list[str]:
        options: dict[str, Any] = {"congestion": cell.congestion or None}
        options |= {option: cell.params[name] for option, name in params.items()}
        return iperf3.tcp_argv(to, cell.seconds, cell.warmup, **options)

    return Tool(argv, iperf3.parse_tcp, iperf3.facts)


def udp(datagram: int | None = None) -> Tool:
    """UDP datagrams of this size (bytes), sent at the links' rate, else at 1000 Mbit/s as in 2016."""

    def argv(to: str, cell: Cell) -> list[str]:
        offered = cell.rate or iperf3.UDP_OFFERED
        return iperf3.udp_argv(to, cell.seconds, cell.warmup, offered=offered, datagram=datagram)

    return Tool(argv, iperf3.parse_udp, iperf3.facts, counts_overflow=True)


def latency() -> Tool:
    """Round trips of one small request and its response at a time."""
    return Tool(lambda to, cell: netperf.latency_argv(to, cell.seconds), netperf.parse_latency)


def measured_pair(topology: Topology, overlay: str = "") -> dict[str, str]:
    """Return the first host and the neighbour on its first link, as a cell's `from` and `to`.

    In the thesis's four pairs (its figure 8) it is the overlay's own pair that is measured.
    """
    own = PAIRS.get(overlay.partition(":")[0], "") if topology.name == "four_pairs" else ""
    first = next(host.name for host in topology.hosts if host.name.startswith(own))
    return {"from": first, "to": topology.neighbours(first)[0]}


class Traffic(PresentedExperiment):
    """An experiment whose metrics are tools between two endpoints, and whose results are charts.

    A subclass names its `tools` by metric, what else is varied (`grid`, values by parameter), its `charts`
    and its `profiles` (see `experiments.common.profiles`); it may override any method for what is special
    to it, e.g. `cells` where more than two hosts take part.
    """

    overlays: ClassVar[tuple[str, ...]] = OVERLAYS
    claims_files = claims.FILES
    warm_up = 1.0
    tools: ClassVar[Mapping[str, Tool]]
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {}
    charts: ClassVar[Sequence[Chart]]

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Every metric with every combination of the grid's values, from the first host to its neighbour."""
        points = [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]
        pair = measured_pair(topology, overlay)
        return [self.cell(overlay, metric, profile, **p, **pair) for metric in self.tools for p in points]

    def cell(self, overlay: str, metric: str, profile: Profile, **params: Any) -> Cell:
        """Make a cell with the profile's repetitions and times for its metric."""
        return Cell(
            overlay,
            metric,
            params,
            profile.repetitions[metric],
            profile.seconds[metric],
            profile.warmup.get(metric, 0.0),
            rate=profile.rate,
            congestion=profile.congestion,
        )

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Start servers on every endpoint."""
        await tool_servers.serve_all(endpoints.values())

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        """End the processes of a failed client, and start the servers again."""
        await tool_servers.restart_all(endpoints.values())

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        return await self.tools[cell.metric].measure(cell, endpoints)

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return self.tools[metric].parse(raw)

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [charts.table(run, chart) for chart in self.charts]

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return [file for chart in self.charts for file in charts.draw(run, chart, folder)]
