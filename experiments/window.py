"""Window: TCP throughput by the size of the socket buffers, 2000 to 1,024,000 bytes.

From the scripts of 2016 (``iperf3 -w``, 2000 · 2^k bytes); the thesis does not show the result.
A window of w bytes carries at most w per round trip, so over 17.7 ms the small ones bound TCP
and not the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, Tool, Traffic, tcp
from lab.report.charts import Chart, Series

#: Bytes; Linux takes twice as much for its own bookkeeping, and at least 4608 to send from.
SIZES = tuple(2000 * 2**k for k in range(10))


class Window(Traffic):
    """From the first host to its neighbour, with ten sizes of socket buffers."""

    name = "window"
    summary = "TCP by the size of the window, 2000 to 1,024,000 bytes"
    source = "the scripts of Zismer 2016"
    topology = "point_to_point"
    profiles = host_bound({TCP: Times(3, 1, 1)})
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp(window="window")}
    grid: ClassVar[Mapping[str, Sequence[int]]] = {"window": SIZES}
    charts = (
        Chart(
            name="window",
            title="TCP throughput by the size of the window",
            x=("window",),
            x_label="bytes asked for with -w",
            y_label="received, Mbit/s",
            series=(Series("TCP", TCP, "received_mbps"),),
            log=True,
        ),
    )
