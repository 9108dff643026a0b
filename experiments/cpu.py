"""CPU: TCP and UDP throughput while another process uses the CPU for a part of the time.

Zismer 2016, sections 4.3.1 and 5.1.1 and figures 10 and 11: ``stress-ng -c 1`` at the sender runs
for 0 to 100 % of the measuring time; a share of the CPU cannot be asked for, since stress-ng
yields to iperf3. The CPU of every host is read twice a second while a sample lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, UDP, Tool, Traffic, tcp, udp
from lab.hosts.host import Endpoint
from lab.measure import stress
from lab.measure.iperf3 import UDP_2016
from lab.report import claims, timeline
from lab.report.captions import with_mode
from lab.report.charts import Chart, Series
from lab.report.selection import Group, select
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample
from lab.topology import Topology
from lab.util.concurrency import both

#: Percent of the measuring time during which stress-ng runs.
SHARES = tuple(range(0, 101, 20))


def falling(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Test TCP and UDP for a fall with the time that stress-ng runs, per overlay."""
    rows = [_by_share(run, n, metric) for n in claims.measured(run) for metric in (TCP, UDP)]
    return claims.check_trends(rows, band)


def _by_share(run: StoredRun, overlay: str, metric: str) -> claims.Trending:
    groups = {s: select(run.samples, overlay, metric, "received_mbps", stress=s) for s in SHARES}
    return claims.Trending.over(f"{with_mode(run, overlay)} {metric}", groups, "%")


def used_up(run: StoredRun, band: claims.Band, either_end: bool = False) -> claims.Checks:
    """Check the CPU that the sending host, or the busier of both, used, as a share of what it has.

    It is the mean over the traffic, without other load: the first and the last reading are left out, as
    they have idle time in them.
    """
    return [_used_up(run, band, n, metric, either_end) for n in claims.measured(run) for metric in (TCP, UDP)]


def _used_up(
    run: StoredRun, band: claims.Band, overlay: str, metric: str, either_end: bool
) -> claims.Check | claims.CheckResult:
    topology, label = Topology.from_dict(run.manifest.topology), f"{with_mode(run, overlay)} {metric}"
    samples = [
        s for s in run.samples if (s.overlay, s.metric, s.params.get("stress")) == (overlay, metric, 0)
    ]
    ends = ("from", "to") if either_end else ("from",)
    hosts = {sample.params[end] for sample in samples for end in ends} or {topology.hosts[0].name}
    limits = {name: topology.host(name).cpus for name in hosts}
    if not all(limits.values()):
        return claims.undecided(f"{label}: {' and '.join(sorted(hosts))} may use all CPUs of this machine")

    def share(sample: Sample) -> float | None:
        used = sample.machine.get("timeline", {}).get("hosts", {})
        means = [
            fmean(readings[1:-1]) / limit
            for name, limit in limits.items()
            if limit and len(readings := used.get(name, ())) > 2
        ]
        return max(means) if means and sample.ok else None

    group, unit = Group.by(samples, share), f"of the CPU of {' or '.join(sorted(hosts))}"
    return claims.check_group(label, band, group, unit)


CLAIMS = common.of("cpu", {"used_up": used_up, "falling": falling})


class Cpu(Traffic):
    """From the first host to its neighbour, while the first one has other work to do."""

    name = "cpu"
    only_in_real_time = "it measures the CPU time of hosts, and in virtual time work takes no time"
    summary = "TCP and UDP while another process takes the CPU"
    source = "Zismer 2016, section 5.1.1, figures 10 and 11"
    topology = "point_to_point"
    claims = CLAIMS
    profiles = host_bound({TCP: Times(3, 2, 1), UDP: Times(3, 2)})
    interval = 0.5
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp(), UDP: udp(UDP_2016)}
    grid: ClassVar[Mapping[str, Sequence[int]]] = {"stress": SHARES}
    charts = (
        Chart(
            name="fig11-cpu",
            title="Throughput while stress-ng runs for a share of the time",
            x=("stress",),
            x_label="% of the time that stress-ng runs",
            y_label="received, Mbit/s",
            series=(Series("TCP", TCP, "received_mbps"), Series("UDP", UDP, "received_mbps")),
        ),
        Chart(
            name="fig11-cpu-sent",
            title="Throughput while stress-ng runs, the sender's view that 2016 plotted",
            x=("stress",),
            x_label="% of the time that stress-ng runs",
            y_label="sent, Mbit/s",
            series=(Series("TCP", TCP, "sent_mbps"), Series("UDP", UDP, "sent_mbps")),
        ),
    )

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        source = endpoints[cell.params["from"]]
        reading, _ = await both(self.tools[cell.metric].measure(cell, endpoints), self._load(cell, source))
        return reading

    async def _load(self, cell: Cell, source: Endpoint) -> None:
        """Give the host other work from the end of the warm-up on, for the cell's share of the time."""
        if seconds := cell.seconds * cell.params["stress"] / 100:
            await asyncio.sleep(cell.warmup)
            await stress.load_one_cpu(source, seconds)

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return [*timeline.draw(run, folder / "fig10-cpu"), *super().figures(run, folder)]
