"""Baseline: the round trip between two sites over a day, and the jitter beside other traffic.

Hermans & de Niet 2016 took both before and beside their measurements: the latency of two links for 24
hours, and jitter by netperf while three more sessions of 1 Mbit/s each went over the same link. In ``quick``,
a day is 24 seconds. With ``--profile paper`` it is a whole day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import PORTS, Times, profile
from experiments.common.traffic import Tool, Traffic
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.measure import iperf3, netperf, ping, tool
from lab.published import CONTROL
from lab.report.captions import with_mode
from lab.report.charts import Chart, Series
from lab.report.claims import Band, Checks, check_group, compare, measured
from lab.report.selection import Group, select
from lab.report.statistics import difference
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from lab.util.concurrency import both

DAY, JITTER = "day", "jitter"
#: Parts of a day, and echoes in each of them.
HOURS, ECHOES = 24, 10
#: The links of their baseline.
LINKS = (("AMS", "LJU"), ("BRA", "MIL"))
#: What goes over a link beside its jitter: so many sessions of so much (Mbit/s).
SESSIONS, EACH = 3, 1
#: How much longer than the measurement the other traffic lasts (s).
LONGER = 2
ENDS = ("from", "to")
WHY = "a rate that two cores carry between two of five hosts, forwarded in user space"


def hours(raw: str) -> dict[str, float]:
    """Return the mean round trip (ms) of a day in ping's output, and that of its parts at most apart.

    Raises:
        MeasureError: a part of the day has no answer.
    """
    answers = ping.replies(raw)
    if len(answers) < 2:
        raise MeasureError(ping.NAME, "got no answers to divide into hours", raw)
    first, whole = answers[0].sent, answers[-1].sent - answers[0].sent
    parts: list[list[float]] = [[] for _ in range(HOURS)]
    for one in answers:
        parts[min(int((one.sent - first) / whole * HOURS), HOURS - 1)].append(one.rtt)
    if not all(parts):
        raise MeasureError(ping.NAME, f"got no answer in part {parts.index([]) + 1} of {HOURS}", raw)
    means = [fmean(part) for part in parts]
    return {"mean_ms": fmean(one.rtt for one in answers), "apart_ms": max(means) - min(means)}


def _day(to: str, cell: Cell) -> list[str]:
    return ping.timestamps_argv(to, cell.seconds, cell.seconds / HOURS / ECHOES)


def _jitter(raw: str) -> dict[str, float]:
    found = netperf.parse_latency(raw)
    return {"jitter_ms": found["stddev_ms"], "mean_ms": found["mean_ms"]}


def same_at_any_hour(run: StoredRun, band: Band) -> Checks:
    """Check how far the means of two hours are apart (ms), on every link."""
    return [
        check_group(
            f"{with_mode(run, name)} {'–'.join(ends)}", band, _of(run, name, DAY, "apart_ms", ends), "ms"
        )
        for name, ends in product(measured(run), LINKS)
    ]


def jitter_beside_the_machine(run: StoredRun, band: Band) -> Checks:
    """Check each overlay's jitter less the control's (ms), on every link."""
    checks = []
    for name, ends in product(measured(run, CONTROL), LINKS):
        one, other = ((n, _of(run, n, JITTER, "jitter_ms", ends)) for n in (name, CONTROL))
        checks.append(compare(f"{with_mode(run, name)} {'–'.join(ends)}", band, one, other, difference, "ms"))
    return checks


def _of(run: StoredRun, overlay: str, metric: str, value: str, ends: tuple[str, str]) -> Group:
    return select(run.samples, overlay, metric, value, **dict(zip(ENDS, ends, strict=True)))


CLAIMS = common.of(
    "baseline",
    {"same_at_any_hour": same_at_any_hour, "jitter_beside_the_machine": jitter_beside_the_machine},
)


class Baseline(Traffic):
    """Between the two ends of two links."""

    name = "baseline"
    summary = "the round trip over a day, and the jitter beside other traffic"
    source = "Hermans & de Niet 2016"
    topology = "full_mesh"
    claims = CLAIMS
    overlays = ("underlay", "libnetwork", "flannel", "weave")
    profiles: ClassVar[Mapping[str, Profile]] = {
        "quick": profile("quick", {DAY: Times(3, HOURS), JITTER: Times(3, 5)}, 50, WHY),
        "paper": profile(
            "paper",
            {DAY: Times(3, 86_400), JITTER: Times(20, 300)},
            PORTS,
            "the testbed's ports, one vCPU per host, and a whole day, as in 2016",
            cpus=1,
        ),
    }
    tools: ClassVar[Mapping[str, Tool]] = {
        DAY: Tool(_day, hours),
        JITTER: Tool(lambda to, cell: netperf.latency_argv(to, cell.seconds), _jitter),
    }
    charts = (
        Chart(
            name="baseline-day",
            title="Round trip over a day",
            x=ENDS,
            x_label="link",
            y_label="ms",
            series=(
                Series("round trip", DAY, "mean_ms"),
                Series("hour with the longest less that with the shortest", DAY, "apart_ms", drawn=False),
            ),
            digits=3,
        ),
        Chart(
            name="baseline-jitter",
            title="Jitter beside three sessions of 1 Mbit/s",
            x=ENDS,
            x_label="link",
            y_label="ms",
            series=(Series("standard deviation of the round trip", JITTER, "jitter_ms"),),
            digits=3,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Measure both on each of `LINKS` that the topology has."""
        there = {host.name for host in topology.hosts}
        ends = [pair for pair in LINKS if there >= set(pair)] or [(topology.links[0].a, topology.links[0].b)]
        return [
            self.cell(overlay, metric, profile, **dict(zip(ENDS, pair, strict=True)))
            for metric in self.tools
            for pair in ends
        ]

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        if cell.metric != JITTER:
            return await super().measure(cell, endpoints)
        reading, _ = await both(super().measure(cell, endpoints), self._other_traffic(cell, endpoints))
        return reading

    async def _other_traffic(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> None:
        """Send the other sessions over the cell's link for a little longer than it is measured.

        Raises:
            MeasureError: they did not pass.
        """
        source, target = (endpoints[cell.params[end]] for end in ENDS)
        seconds = cell.duration + LONGER
        argv = iperf3.udp_argv(target.address_for(cell.params["from"]), seconds, offered=EACH, datagram=1470)
        result = await tool.execute(source, [*argv, "-P", str(SESSIONS)], seconds)
        if result.status:
            raise MeasureError(iperf3.NAME, "the traffic beside the jitter failed", tool.output(result), argv)
