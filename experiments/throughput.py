"""Throughput: TCP and UDP between two sites, on each overlay and without one.

Zismer 2016, section 4.3.1 (experiment 1) and figure 1, which is from Hermans & de Niet 2016:
Amsterdam to Bratislava. iperf3 as it was in 2016 puts 8192 bytes into a datagram; iperf 2,
with which Hermans & de Niet measured, 1470.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, UDP, UDP_SMALL, Tool, Traffic, tcp, udp
from experiments.mesh import published_throughput
from lab.measure.iperf3 import UDP_2016, UDP_IPERF2
from lab.published import CONTROL
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.claims import Band, Checks, against_control, compare, measured
from lab.report.selection import Group, select
from lab.runs.run_folder import StoredRun


def published(overlay: str, _: Place, series: Series) -> float | None:
    """Return what Hermans & de Niet have from AMS to BRA; the control has the mean of their machines.

    Each overlay had machines of its own, so its ratio is to be taken to these (`lab.published`).
    """
    return published_throughput(overlay, ("AMS", "BRA"), series)


def _received(run: StoredRun, overlay: str, metric: str) -> tuple[str, Group]:
    return f"{overlay} {metric}", select(run.samples, overlay, metric, "received_mbps")


def by_control(run: StoredRun, band: Band, metric: str) -> Checks:
    """Check every overlay's throughput as a multiple of the control's."""
    checks = against_control(run, band, lambda name: _received(run, name, metric))
    if metric != TCP:
        return checks
    return common.unless_at_the_limit(run, _received(run, CONTROL, TCP)[1], checks)


def larger_datagrams(run: StoredRun, band: Band) -> Checks:
    """Compare UDP in the large datagrams of iperf3 with that in those of iperf 2, on everything."""
    return [
        compare(with_mode(run, n), band, _received(run, n, UDP), _received(run, n, UDP_SMALL))
        for n in measured(run)
    ]


def tcp_by_udp(run: StoredRun, band: Band, of: str) -> Checks:
    """Compare TCP with UDP in datagrams of iperf 2, of the ``control`` or of the ``overlays``."""
    names = [CONTROL] if of == "control" else measured(run, CONTROL)
    checks = [
        compare(with_mode(run, n), band, _received(run, n, TCP), _received(run, n, UDP_SMALL)) for n in names
    ]
    return common.unless_at_the_limit(run, _received(run, CONTROL, TCP)[1], checks)


CLAIMS = common.of(
    "throughput",
    {"by_control": by_control, "larger_datagrams": larger_datagrams, "tcp_by_udp": tcp_by_udp},
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
