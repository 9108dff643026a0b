"""Throughput: TCP and UDP between two sites, on each overlay and without one.

Zismer 2016, section 4.3.1 (experiment 1) and figure 1, which is from Hermans & de Niet 2016:
Amsterdam to Bratislava. iperf3 as it was in 2016 puts 8192 bytes into a datagram; iperf 2,
with which Hermans & de Niet measured, 1470.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, UDP, UDP_SMALL, Tool, Traffic, tcp, udp
from experiments.mesh import published_throughput
from lab.measure.iperf3 import UDP_2016, UDP_IPERF2
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.claims import Band, Checks, Claim, against_control, compare, measured
from lab.report.selection import select
from lab.runs.run_folder import StoredRun


def published(overlay: str, _: Place, series: Series) -> float | None:
    """Return what Hermans & de Niet have from AMS to BRA; the control has the mean of their machines."""
    return published_throughput(overlay, ("AMS", "BRA"), series)


def by_control(run: StoredRun, metric: str, band: Band) -> Checks:
    """Check every overlay's throughput as a multiple of the control's."""
    return against_control(run, band, lambda name: (name, select(run.samples, name, metric, "received_mbps")))


def larger_datagrams(run: StoredRun) -> Checks:
    """Compare UDP in the large datagrams of iperf3 with that in those of iperf 2, on everything."""
    checks = []
    for name in measured(run):
        large, small = (
            (f"{name} with {size} bytes", select(run.samples, name, metric, "received_mbps"))
            for metric, size in ((UDP, UDP_2016), (UDP_SMALL, UDP_IPERF2))
        )
        checks.append(compare(with_mode(run, name), Band(low=1), large, small, unit="times"))
    return checks


#: "Merely 50 %", as a band.
HALF = Band(0.4, 0.6)

CLAIMS = (
    Claim(
        "The UDP throughput of the overlays is below that of the machine",
        "Hermans & de Niet 2016; Zismer 2016, figure 1",
        f"UDP received in datagrams of {UDP_IPERF2} bytes, each overlay's by the control's",
        lambda run: by_control(run, UDP_SMALL, Band(high=1)),
    ),
    Claim(
        "The TCP throughput of the overlays, with offload, is at or above that of the machine",
        "Zismer 2016, figures 1 and 14",
        "TCP received, each overlay's by the control's",
        lambda run: by_control(run, TCP, Band(low=1)),
    ),
    Claim(
        "The UDP throughput of the overlays is merely half of that of the machine",
        "Zismer 2016, section 2, of Hermans & de Niet 2016",
        f"UDP received in datagrams of {UDP_IPERF2} bytes, each overlay's by the control's",
        lambda run: by_control(run, UDP_SMALL, HALF),
    ),
    Claim(
        "iperf3's large datagrams give more UDP throughput than the smaller ones of iperf",
        "Zismer 2016, sections 5.1.1 and 5.1.3",
        f"UDP received in datagrams of {UDP_2016} bytes by that in datagrams of {UDP_IPERF2}",
        larger_datagrams,
    ),
)


class Throughput(Traffic):
    """From the first host to its neighbour, as much as goes through."""

    name = "throughput"
    summary = "TCP and UDP between two sites, per overlay"
    source = "Zismer 2016, figure 1 (Hermans & de Niet 2016)"
    topology = "point_to_point"
    claims = CLAIMS
    profiles = host_bound({TCP: Times(5, 2, 1), UDP: Times(5, 2), UDP_SMALL: Times(5, 2)})
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp(), UDP: udp(UDP_2016), UDP_SMALL: udp(UDP_IPERF2)}
    charts = (
        Chart(
            name="fig01-throughput",
            title="TCP and UDP throughput",
            y_label="received, Mbit/s",
            series=(
                Series("TCP", TCP, "received_mbps"),
                Series(f"UDP, datagrams of {UDP_2016} bytes", UDP, "received_mbps"),
                Series(f"UDP, datagrams of {UDP_IPERF2} bytes", UDP_SMALL, "received_mbps"),
            ),
            published=published,
        ),
    )
