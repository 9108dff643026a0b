"""Mesh: latency and throughput on every link of the five-site mesh.

Hermans & de Niet 2016: point-to-point measurements between the sites, of the machines ("vm")
and of containers on each overlay. They measured six circuits, since Prague's machines did not
work; here all ten are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, link_bound, paper
from experiments.common.traffic import LATENCY, TCP, UDP_SMALL, Tool, Traffic, latency, tcp, udp
from lab.measure.iperf3 import UDP_IPERF2
from lab.published import CONTROL, SEGMENTS, THROUGHPUTS, of_circuit
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.claims import TIMES_AS_MUCH, Band, Check, Checks, check_group, compare, measured, undecided
from lab.report.selection import Group, select
from lab.report.statistics import difference
from lab.runs.experiment import Cell, Profile
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from lab.topology.specs import LinkSpec

TIMES = {LATENCY: Times(3, 1), TCP: Times(3, 1, 1), UDP_SMALL: Times(3, 1, 1)}
TWO_OF_FIVE = "a rate that two cores carry between two of five hosts, forwarded in user space"
CIRCUIT = ("from", "to")
#: Percent of the packets: one in 100,000 (claim vm-tcp-by-loss).
LOSS = 0.001


def published_latency(overlay: str, place: Place, _: Series) -> float | None:
    """Return their mean round trip (ms) on a link; the control has the mean of all their machines."""
    return mean(row.rtt for row in of_circuit(SEGMENTS, overlay, *place))


def published_throughput(overlay: str, place: Place, series: Series) -> float | None:
    """Return their throughput (Mbit/s, iperf) on a link; the control has the mean of their machines."""
    rows = of_circuit(THROUGHPUTS, overlay, *place)
    return mean({TCP: row.tcp, UDP_SMALL: row.udp}.get(series.metric) for row in rows)


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the existing values, or None."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def added(run: StoredRun, band: Band) -> Checks:
    """Check what each overlay adds to the control's latency (ms), on every link."""
    return _apart(run, band, [(name, CONTROL) for name in measured(run, CONTROL)])


def apart(run: StoredRun, band: Band) -> Checks:
    """Check by how much the latencies (ms) of any two overlays differ, on every link."""
    return _apart(run, band, list(combinations(measured(run, CONTROL), 2)))


def _apart(run: StoredRun, band: Band, pairs: Sequence[tuple[str, str]]) -> Checks:
    circuits = sorted({(s.params["from"], s.params["to"]) for s in run.samples if s.metric == LATENCY})

    def compared(one: str, other: str, circuit: tuple[str, str]) -> Check:
        ends = dict(zip(CIRCUIT, circuit, strict=True))
        groups = [(name, select(run.samples, name, LATENCY, "mean_ms", **ends)) for name in (one, other)]
        beside = "" if other == CONTROL else f" less {other}"
        label = f"{with_mode(run, one)}{beside} {'–'.join(circuit)}"
        return compare(label, band, groups[0], groups[1], difference, "ms")

    return [compared(one, other, circuit) for one, other in pairs for circuit in circuits]


def tcp_of_2016(run: StoredRun, band: Band) -> Checks:
    """Check the control's TCP on every link that was measured in 2016, each published row on its own.

    Can be told of links that lose packets as `LOSS` says.
    """
    links = Topology.from_dict(run.manifest.topology).links
    if any(link.loss != LOSS for link in links):
        return [undecided(f"links must lose {LOSS:g} % of the packets: --topology full_mesh:loss={LOSS:g}")]
    return [
        check_group(
            f"{link.a}–{link.b}, machines of {row.instance}", band, _by(run, link, row.tcp), TIMES_AS_MUCH
        )
        for link in links
        for row in of_circuit(THROUGHPUTS, CONTROL, link.a, link.b)
        if row.tcp is not None
    ]


def _by(run: StoredRun, link: LinkSpec, published: float) -> Group:
    """The control's TCP on a link as multiples of a published throughput (Mbit/s)."""
    group = select(
        run.samples, CONTROL, TCP, "received_mbps", **dict(zip(CIRCUIT, (link.a, link.b), strict=True))
    )
    return Group([one._replace(value=one.value / published) for one in group.entries])


CLAIMS = common.of("mesh", {"added": added, "apart": apart, "tcp_of_2016": tcp_of_2016})


class Mesh(Traffic):
    """Between the two hosts of every link."""

    name = "mesh"
    summary = "latency and throughput on every link of the five-site mesh"
    source = "Hermans & de Niet 2016"
    topology = "full_mesh"
    claims = CLAIMS
    overlays = ("underlay", "libnetwork", "flannel", "weave")
    profiles = link_bound(TIMES, 50, TWO_OF_FIVE, paper(*TIMES))
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency(), TCP: tcp(), UDP_SMALL: udp(UDP_IPERF2)}
    charts = (
        Chart(
            name="mesh-latency",
            title="Latency on every link",
            x=CIRCUIT,
            x_label="link",
            y_label="round trip, ms",
            series=(Series("UDP request and response", LATENCY, "mean_ms"),),
            digits=2,
            published=published_latency,
        ),
        Chart(
            name="mesh-throughput",
            title="Throughput on every link",
            x=CIRCUIT,
            x_label="link",
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
