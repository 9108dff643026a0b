"""Paths: the path of each overlay in a ring, and the outage when a link fails.

Zismer 2016, section 7.1, names this as future work: how packets are routed where there are
different ways between two routers. A way is known by its round trip: in the ring of the thesis's
chain, AMS–PRG–BRA–LJU–MIL–AMS, no two ways between two sites take the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import networkx as nx

from experiments.common.profiles import Times, link_bound, paper
from experiments.common.traffic import LATENCY, Tool, Traffic, latency
from lab.hosts.host import Endpoint, Host
from lab.measure import outage, ping, tool
from lab.report import captions, drawing
from lab.report.charts import Chart, SampleView, Series, overlays_panel, word
from lab.report.panels import Figure, Panel, PanelSeries, mean
from lab.report.selection import NOTHING, measured_overlays, select
from lab.report.tables import Section, Table
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from lab.util.concurrency import both, together

FAILURE = "failure"
#: The circuit is back for this share of the time that it was away: an overlay that found another
#: way needs less to go on there than to find it.
BACK = 0.5
#: ping waits a little longer for answers that do not come: 0.112 s in place of 0.1 were seen.
SLOWER = 1.2

TIMES = {LATENCY: Times(3, 2), FAILURE: Times(1, 90)}
ROUND_THE_RING = "a rate that two cores carry round the ring, forwarded in user space"


class Paths(Traffic):
    """From the first host to every other; then the first link is cut, and later mended."""

    name = "paths"
    summary = "which path around a ring, and how long an outage lasts when a link fails"
    source = "Zismer 2016, section 7.1 (future work)"
    topology = "ring"
    overlays = ("underlay", "weave", "tinc", "libnetwork")
    #: They relay too, as Weave's routers do.
    instead: ClassVar[Mapping[str, tuple[str, ...]]] = {"weave": ("yggdrasil",)}
    # a failure lasts minutes, so one bring-up is what is quick; --bringups 5 tells more
    profiles = link_bound(TIMES, 10, ROUND_THE_RING, paper(*TIMES, **{FAILURE: 180}), bring_ups=1)
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency()}
    charts = (
        Chart(
            name="paths-dark",
            title="Outage when a link fails and is repaired",
            y_label="outage, s",
            series=(
                Series("link fails", FAILURE, "dark_s"),
                Series("found another path (1: yes, 0: waited for the link)", FAILURE, "around", drawn=False),
                Series("link repaired, longest outage", FAILURE, "gap_s", drawn=False),
            ),
            digits=2,
        ),
        Chart(
            name="paths-latency",
            title="Latency from the first host round the ring",
            x=("to",),
            x_label="to",
            y_label="round trip, ms",
            series=(Series("UDP request and response", LATENCY, "mean_ms"),),
            digits=2,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Take the latency to every other host, and the failure of the first link."""
        first, link = topology.hosts[0].name, topology.links_of(topology.hosts[0].name)[0]
        there = [
            self.cell(overlay, LATENCY, profile, **{"from": first, "to": host.name})
            for host in topology.hosts[1:]
        ]
        cut = outage.format_ends((end, link.interface(end)) for end in (first, link.other(first)))
        ends = {"from": first, "to": link.other(first)}
        failing = self.cell(overlay, FAILURE, profile, cut=cut, **ends)
        beside = outage.LEAD + failing.seconds * BACK  # time before the cut and after the return
        return [*there, replace(failing, disturbs=True, warmup=beside)]

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        if cell.metric == LATENCY:
            return await super().measure(cell, endpoints)
        source, target = endpoints[cell.params["from"]], endpoints[cell.params["to"]]
        whole = outage.LEAD + cell.seconds * (1 + BACK)
        argv = ping.timestamps_argv(target.address, whole)
        devices = {
            endpoints[name].host: device for name, device in outage.parse_ends(cell.params["cut"]).items()
        }
        watched = tool.execute(source, argv, whole * SLOWER)
        result, times = await both(watched, _fail(devices, source, cell))
        raw = outage.record(result.stdout, *times)
        return Reading(self.parse(FAILURE, raw), raw, tuple(argv))

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return outage.parse(raw) if metric == FAILURE else super().parse(metric, raw)

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [ways(run), *super().tables(run)]

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        """Draw how long each overlay is dark, and beside it the latency to each site, in the ring's order."""
        dark, latency = (SampleView(run, chart) for chart in self.charts)
        if not dark.samples or not latency.samples:
            return super().figures(run, folder)
        left = overlays_panel(dark)
        (series,) = left.series
        away = [run.manifest.profile.get("seconds", {}).get(FAILURE)] * len(left.places)
        left = replace(left, series=[replace(series, label="link fails", limits=away)])
        return drawing.draw(
            Figure(
                "Outage when a link fails, and the latency to each host of the ring",
                [left, _round_the_ring(latency, left, dark.overlays)],
                captions.conditions(run),
                limit="of the links alone",
                limit_means="Dashed: how long the link was cut, and the lowest round trip of the links.",
            ),
            folder / "paths",
        )


def _round_the_ring(view: SampleView, beside: Panel, overlays: Sequence[str]) -> Panel:
    """The latency to each site, in bars beside those of another panel with the same overlays."""
    topology = Topology.from_dict(view.run.manifest.topology)
    first, (one,) = topology.hosts[0].name, view.drawn
    series = [
        PanelSeries(
            f"to {word(place)}",
            [mean(view.group(name, one, place)) for name in overlays],
            limits=[topology.rtt(first, str(place[0]))] * len(overlays),
        )
        for place in view.places
    ]
    return Panel("", series, beside.places, beside.x, view.chart.y_label, at=beside.at)


async def _fail(devices: Mapping[Host, str], clock: Endpoint, cell: Cell) -> tuple[float, float, float]:
    """Cut the link for the cell's seconds; return when it was cut, about to return, and back."""
    await asyncio.sleep(outage.LEAD)
    async with _cut(devices):
        cut = await _now(clock)
        await asyncio.sleep(cell.seconds)
        mending = await _now(clock)
    return cut, mending, await _now(clock)


@asynccontextmanager
async def _cut(devices: Mapping[Host, str]) -> AsyncIterator[None]:
    """Keep the link cut inside the block, and repair it at the end in any case."""
    try:
        await together(host.run(outage.drop_argv(name, insert=True)) for host, name in devices.items())
        yield
    finally:
        await together(outage.restore(host, name) for host, name in devices.items())


async def _now(endpoint: Endpoint) -> float:
    """Return the time (s since the epoch) where the answers are timed."""
    return float((await endpoint.run(["date", "+%s.%N"])).stdout)


def ways(run: StoredRun) -> Table:
    """Find the way of every overlay to every host: the one whose links sum up to the round trip."""
    topology = Topology.from_dict(run.manifest.topology)
    first = topology.hosts[0].name
    overlays = measured_overlays(run)
    rows = []
    for host in topology.hosts[1:] if overlays else ():
        cells = [_way(run, topology, name, first, host.name) for name in overlays]
        rows.append([host.name, "–".join(topology.path(first, host.name)), *cells])
    heading = "the path whose round trip is nearest to the measured one, and the difference"
    return Table(f"ways from {first}", ["to", "least round trip", *overlays], [Section(heading, rows)])


def _way(run: StoredRun, topology: Topology, overlay: str, source: str, target: str) -> str:
    found = select(run.samples, overlay, LATENCY, "mean_ms", **{"from": source, "to": target}).summary
    if found is None:
        return NOTHING
    graph = topology.graph
    lengths = {
        tuple(path): nx.path_weight(graph, path, "rtt") for path in nx.all_simple_paths(graph, source, target)
    }
    path, length = min(lengths.items(), key=lambda item: abs(item[1] - found.mean))
    return f"{'–'.join(path)} ({found.mean - length:+.2f} ms)"
