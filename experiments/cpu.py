"""CPU: TCP and UDP throughput while another process takes CPU away for a part of the time.

Zismer 2016, sections 4.3.1 and 5.1.1 and figures 10 and 11: ``stress-ng -c 1`` at the sender runs
for 0 to 100 % of the measuring time; a share of the CPU cannot be asked for, since stress-ng
yields to iperf3. The CPU of every host is read twice a second while a sample lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

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


def falling(run: StoredRun) -> claims.Checks:
    """Test TCP and UDP for a fall with the time that stress-ng runs, per overlay."""
    rows = [_by_share(run, n, metric) for n in claims.measured(run) for metric in (TCP, UDP)]
    return claims.check_trends(rows, FALLS)


def _by_share(run: StoredRun, overlay: str, metric: str) -> claims.Trending:
    groups = {s: select(run.samples, overlay, metric, "received_mbps", stress=s) for s in SHARES}
    return claims.Trending.over(f"{with_mode(run, overlay)} {metric}", groups, "%")


def used_up(run: StoredRun) -> claims.Checks:
    """Check the most CPU that the sending host used, as a share of what it has, without other load."""
    return [_used_up(run, name, metric) for name in claims.measured(run) for metric in (TCP, UDP)]


def _used_up(run: StoredRun, overlay: str, metric: str) -> claims.Check | claims.CheckResult:
    topology, label = Topology.from_dict(run.manifest.topology), f"{with_mode(run, overlay)} {metric}"
    samples = [
        s for s in run.samples if (s.overlay, s.metric, s.params.get("stress")) == (overlay, metric, 0)
    ]
    sender = next((sample.params["from"] for sample in samples), topology.hosts[0].name)
    if not (cpus := topology.host(sender).cpus):
        return claims.undecided(f"{label}: {sender} may use all CPUs of this machine")

    def share(sample: Sample) -> float | None:
        used = sample.machine.get("timeline", {}).get("hosts", {}).get(sender)
        return max(used) / cpus if used and sample.ok else None

    group = Group.by(samples, share)
    return claims.check_group(label, ALL_OF_IT, group, f"of {sender}'s {cpus:g} CPUs")


#: "Falls": a tenth at least.
FALLS = claims.Band(high=-0.1)
#: "100 %", for readings that catch a quota's periods half begun.
ALL_OF_IT = claims.Band(low=0.9)

CLAIMS = (
    claims.Claim(
        "Starting iperf3 uses the CPU of the sending host up, with TCP and with UDP",
        "Zismer 2016, section 5.1.1, figure 10",
        "the most CPU that the sender used between two readings, as a share of what it has",
        used_up,
    ),
    claims.Claim(
        "Throughput falls with the CPU that is taken away, TCP and UDP alike",
        "Zismer 2016, section 5.1.1, figure 11",
        "TCP and UDP received, by the share of the time that stress-ng runs",
        falling,
    ),
)


class Cpu(Traffic):
    """From the first host to its neighbour, while the first one has other work to do."""

    name = "cpu"
    only_in_real_time = "it measures the CPU time that hosts use, and there work takes no time"
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
