"""Encryption: its cost on every overlay that can encrypt.

Zismer 2016, section 7.1, names this as future work: Weave could encrypt, Flannel not yet. Each
overlay is measured without and with its own kind: NaCl in Weave's sleeve, AES-256 in tinc, IPsec
in libnetwork's swarm mode, WireGuard as Flannel's backend. Those that always encrypt stand beside
the underlay: the price is that of the whole overlay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import LATENCY, TCP, UDP, Tool, Traffic, latency, tcp, udp
from lab.measure.iperf3 import UDP_2016
from lab.report.charts import Chart, Series

#: Without and with, side by side.
PAIRS = (
    ("weave", "weave:encryption=on"),
    ("tinc", "tinc:encryption=on"),
    ("libnetwork:mode=swarm", "libnetwork:mode=swarm,encryption=on"),
    ("flannel", "flannel:backend=wireguard"),
)
#: What always encrypts, beside the control.
ALWAYS = ("wireguard", "nebula", "nebula:cipher=chachapoly", "yggdrasil")
CONTROLS = {on: off for off, on in PAIRS} | dict.fromkeys(ALWAYS, "underlay")


class Encryption(Traffic):
    """From the first host to its neighbour, in the clear and encrypted."""

    name = "encryption"
    summary = "what encryption costs, on every overlay that can encrypt"
    source = "Zismer 2016, section 7.1 (future work)"
    topology = "point_to_point"
    overlays = (*(name for pair in PAIRS for name in pair), "underlay", *ALWAYS)
    profiles = host_bound({LATENCY: Times(3, 1), TCP: Times(5, 2, 1), UDP: Times(5, 1)})
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency(), TCP: tcp(), UDP: udp(UDP_2016)}
    charts = (
        Chart(
            name="encryption-throughput",
            title="Throughput without and with encryption",
            y_label="received, Mbit/s",
            series=(Series("TCP", TCP, "received_mbps"), Series("UDP", UDP, "received_mbps")),
            controls=CONTROLS,
            log=True,
        ),
        Chart(
            name="encryption-latency",
            title="Latency without and with encryption",
            y_label="round trip, ms",
            series=(Series("UDP request and response", LATENCY, "mean_ms"),),
            digits=2,
            controls=CONTROLS,
        ),
    )
