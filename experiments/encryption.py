"""Encryption: what it costs, on every overlay that can encrypt.

Zismer 2016, section 7.1, names this as future work: Weave could encrypt, Flannel not yet. Each
overlay is measured without and with its own kind: NaCl in Weave's sleeve, AES-256 in tinc, IPsec
in libnetwork's swarm mode, WireGuard as Flannel's backend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments._traffic import BOUND, LATENCY, QUARTER, TCP, UDP, Tool, Traffic, ends, latency, tcp, udp
from lab.measure.iperf3 import UDP_2016
from lab.report.charts import Chart, Series
from lab.runs.experiment import Cell, Profile
from lab.topology import Topology

#: Without and with, side by side.
PAIRS = (
    ("weave", "weave:encryption=on"),
    ("tinc", "tinc:encryption=on"),
    ("libnetwork:mode=swarm", "libnetwork:mode=swarm,encryption=on"),
    ("flannel", "flannel:backend=wireguard"),
)

QUICK = Profile(
    name="quick",
    repetitions={LATENCY: 3, TCP: 5, UDP: 5},
    seconds={LATENCY: 1, TCP: 2, UDP: 1},
    warmup={TCP: 1},
    rate=1000,
    cpus=QUARTER,
    why=BOUND,
)
PAPER = Profile(
    name="paper",
    repetitions={LATENCY: 20, TCP: 20, UDP: 20},
    seconds={LATENCY: 120, TCP: 120, UDP: 120},
    rate=1000,
    cpus=1,
    why="the testbed's ports, and one vCPU per host, as in 2016",
)


class Encryption(Traffic):
    """From the first host to its neighbour, in the clear and encrypted."""

    name = "encryption"
    summary = "what encryption costs, on every overlay that can encrypt"
    source = "Zismer 2016, section 7.1 (future work)"
    topology = "point_to_point"
    overlays = tuple(name for pair in PAIRS for name in pair)
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency(), TCP: tcp(), UDP: udp(UDP_2016)}
    charts = (
        Chart(
            name="encryption-throughput",
            title="Throughput without and with encryption",
            x=(),
            x_label="",
            y_label="received, Mbit/s",
            lines=(Series("TCP", TCP, "received_mbps"), Series("UDP", UDP, "received_mbps")),
            controls={on: off for off, on in PAIRS},
        ),
        Chart(
            name="encryption-latency",
            title="Latency without and with encryption",
            x=(),
            x_label="",
            y_label="round trip, ms",
            lines=(Series("UDP request and response", LATENCY, "mean_ms"),),
            digits=2,
            controls={on: off for off, on in PAIRS},
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Latency, TCP and UDP."""
        return [self.cell(overlay, metric, profile, **ends(topology, overlay)) for metric in self.tools]
