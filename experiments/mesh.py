"""Mesh: latency and throughput on every circuit of the five-site mesh.

Hermans & de Niet 2016: point-to-point measurements between the sites, of the machines ("vm")
and of containers on each overlay. They measured six circuits, since Prague's machines did not
work; here all ten are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from experiments.common.profiles import Times, link_bound, paper
from experiments.common.traffic import LATENCY, TCP, UDP_SMALL, Tool, Traffic, latency, tcp, udp
from lab.measure.iperf3 import UDP_IPERF2
from lab.published import CONTROL, SEGMENTS, THROUGHPUTS, of_circuit
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.claims import Band, Check, Checks, Claim, compare, measured
from lab.report.selection import select
from lab.report.statistics import difference
from lab.runs.experiment import Cell, Profile
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

TIMES = {LATENCY: Times(3, 1), TCP: Times(3, 1, 1), UDP_SMALL: Times(3, 1, 1)}
TWO_OF_FIVE = "a rate that two cores carry between two of five hosts, forwarded in user space"
CIRCUIT = ("from", "to")


def published_latency(overlay: str, place: Place, _: Series) -> float | None:
    """Return their mean round trip (ms) on a circuit; the control has the mean of all their machines."""
    return mean(row.rtt for row in of_circuit(SEGMENTS, overlay, *place))


def published_throughput(overlay: str, place: Place, series: Series) -> float | None:
    """Return their throughput (Mbit/s, iperf) on a circuit; the control has the mean of their machines."""
    rows = of_circuit(THROUGHPUTS, overlay, *place)
    return mean({TCP: row.tcp, UDP_SMALL: row.udp}.get(series.metric) for row in rows)


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that there are, or None."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


#: The most that their tables have, but for one circuit that they call faulty (ms).
ADDED = Band(high=0.2)


def added(run: StoredRun) -> Checks:
    """Check what each overlay adds to the control's latency (ms), on every circuit."""
    circuits = sorted({(s.params["from"], s.params["to"]) for s in run.samples if s.metric == LATENCY})

    def compared(overlay: str, circuit: tuple[str, str]) -> Check:
        ends = dict(zip(CIRCUIT, circuit, strict=True))
        own, control = (
            (name, select(run.samples, name, LATENCY, "mean_ms", **ends)) for name in (overlay, CONTROL)
        )
        label = f"{with_mode(run, overlay)} {'–'.join(circuit)}"
        return compare(label, ADDED, own, control, difference, "ms")

    return [compared(name, circuit) for name in measured(run, CONTROL) for circuit in circuits]


CLAIMS = (
    Claim(
        "Containers on an overlay add at most 0.2 ms to the latency of the machines",
        "Hermans & de Niet 2016",
        "mean UDP round trip of each overlay less the control's, on every circuit",
        added,
    ),
)


class Mesh(Traffic):
    """Between the two hosts of every link."""

    name = "mesh"
    summary = "latency and throughput on every circuit of the five-site mesh"
    source = "Hermans & de Niet 2016"
    topology = "full_mesh"
    claims = CLAIMS
    overlays = ("underlay", "libnetwork", "flannel", "weave")
    profiles = link_bound(TIMES, 50, TWO_OF_FIVE, paper(*TIMES))
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency(), TCP: tcp(), UDP_SMALL: udp(UDP_IPERF2)}
    charts = (
        Chart(
            name="mesh-latency",
            title="Latency on every circuit",
            x=CIRCUIT,
            x_label="circuit",
            y_label="round trip, ms",
            series=(Series("UDP request and response", LATENCY, "mean_ms"),),
            digits=2,
            published=published_latency,
        ),
        Chart(
            name="mesh-throughput",
            title="Throughput on every circuit",
            x=CIRCUIT,
            x_label="circuit",
            y_label="received, Mbit/s",
            series=(
                Series("TCP", TCP, "received_mbps"),
                Series(f"UDP, datagrams of {UDP_IPERF2} bytes", UDP_SMALL, "received_mbps"),
            ),
            published=published_throughput,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Measure latency, TCP and UDP on every link."""
        return [
            self.cell(overlay, metric, profile, **{"from": link.a, "to": link.b})
            for metric in self.tools
            for link in topology.links
        ]
