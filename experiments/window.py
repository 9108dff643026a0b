"""Window: TCP throughput by the size of the socket buffers, 2000 to 1,024,000 bytes.

From the scripts of 2016 (``iperf3 -w``, 2000 · 2^k bytes); the thesis does not show the result.
A window of w bytes carries at most w per round trip, so over 17.7 ms the small ones bound TCP
and not the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments._traffic import BOUND, QUARTER, TCP, Tool, Traffic, ends
from lab.measure import iperf3
from lab.report.charts import Chart, Series
from lab.runs.experiment import Cell, Profile
from lab.topology import Topology

#: Bytes; Linux takes twice as much for its own bookkeeping, and at least 4608 to send from.
SIZES = tuple(2000 * 2**k for k in range(10))

QUICK = Profile(
    name="quick",
    repetitions={TCP: 3},
    seconds={TCP: 1},
    warmup={TCP: 1},
    rate=1000,
    cpus=QUARTER,
    why=BOUND,
)
PAPER = Profile(
    name="paper",
    repetitions={TCP: 20},
    seconds={TCP: 120},
    rate=1000,
    cpus=1,
    why="the testbed's ports, and one vCPU per host, as in 2016",
)


class Window(Traffic):
    """From the first host to its neighbour, with ten sizes of socket buffers."""

    name = "window"
    summary = "TCP by the size of the window, 2000 to 1,024,000 bytes"
    source = "the scripts of Zismer 2016"
    topology = "point_to_point"
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}
    tools: ClassVar[Mapping[str, Tool]] = {
        TCP: Tool(
            lambda to, cell: iperf3.tcp_argv(to, cell.seconds, cell.warmup, window=cell.params["window"]),
            iperf3.parse_tcp,
            iperf3.facts,
        )
    }
    charts = (
        Chart(
            name="window",
            title="TCP throughput by the size of the window",
            x=("window",),
            x_label="bytes asked for with -w",
            y_label="received, Mbit/s",
            lines=(Series("TCP", TCP, "received_mbps"),),
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Every size."""
        return [self.cell(overlay, TCP, profile, window=size, **ends(topology, overlay)) for size in SIZES]
