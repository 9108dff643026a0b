"""Encryption: its cost on every overlay that can encrypt.

Zismer 2016, section 7.1, names this as future work: Weave could encrypt, Flannel not yet. Each
overlay is measured without and with its own kind: NaCl in Weave's sleeve, AES-256 in tinc, IPsec
in libnetwork's swarm mode, WireGuard as Flannel's backend. Those that always encrypt stand beside
the underlay: the price is that of the whole overlay.

The thesis asks how Flannel's encryption compares with Weave's, so a table has every encrypted overlay as a
multiple of encrypted Weave. Of Flannel's two kinds it is WireGuard; IPsec needs strongSwan's daemon on every
host, which the images of hosts do not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import LATENCY, TCP, UDP, Tool, Traffic, latency, tcp, udp
from lab.measure.iperf3 import UDP_2016
from lab.report.charts import Chart, Series
from lab.report.selection import NOTHING, interval, measured_overlays, select
from lab.report.statistics import ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun

#: Without and with, side by side.
PAIRS = (
    ("weave", "weave:encryption=on"),
    ("tinc", "tinc:encryption=on"),
    ("libnetwork:mode=swarm", "libnetwork:mode=swarm,encryption=on"),
    ("flannel", "flannel:backend=wireguard"),
)
#: What always encrypts, beside the control.
ALWAYS = ("wireguard", "nebula", "nebula:cipher=chachapoly", "yggdrasil")
#: What the thesis asks to compare Flannel with.
WEAVE = "weave:encryption=on"
CONTROLS = {on: off for off, on in PAIRS} | dict.fromkeys(ALWAYS, "underlay")


class Encryption(Traffic):
    """From the first host to its neighbour, in the clear and encrypted."""

    name = "encryption"
    summary = "the cost of encryption on every overlay that can encrypt"
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

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [*super().tables(run), *against_weave(run)]


def against_weave(run: StoredRun) -> list[Table]:
    """Return a table of the overlays that encrypt, as multiples of encrypted Weave, if that was measured."""
    values = ((TCP, "received_mbps"), (UDP, "received_mbps"), (LATENCY, "mean_ms"))
    encrypted = [name for name in measured_overlays(run) if name in CONTROLS and name != WEAVE]
    if WEAVE not in measured_overlays(run) or not encrypted:
        return []

    def cell(name: str, metric: str, value: str) -> str:
        own, weave = (select(run.samples, one, metric, value).means for one in (name, WEAVE))
        return interval(ratio(own, weave))

    rows = [[name, *(cell(name, *one) for one in values)] for name in encrypted]
    rows = [row for row in rows if set(row[1:]) - {NOTHING}]
    heading = f"as a multiple of {WEAVE}'s [95 % interval]"
    columns = ["encrypted overlay", "TCP received", "UDP received", "round trip"]
    return [Table("beside encrypted Weave", columns, [Section(heading, rows)])] if rows else []
