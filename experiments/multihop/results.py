"""Tables and figures of the multi-hop experiment, from stored samples alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from lab.errors import TopologyError
from lab.published import SEGMENTS, ZISMER
from lab.report import bar_chart, captions
from lab.report.charts import CONTROL, estimate
from lab.report.selection import NOTHING, Group, select, text
from lab.report.statistics import Summary, ratio, total
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

LATENCY, SEGMENT, TCP, UDP = "latency", "segment", "tcp", "udp"
CLAIMS = {
    LATENCY: "no latency is added: overall equals the sum of the segments, without variance",
    TCP: "drops sharply after the first hop, then slightly with each",
    UDP: "falls only slightly with each hop",
}


def targets(topology: Topology) -> list[str]:
    """All hosts that the first one reaches, by the number of hops from it."""
    first = topology.hosts[0].name
    found = []
    for host in topology.hosts[1:]:
        with suppress(TopologyError):
            found.append((topology.hops(first, host.name), host.number, host.name))
    return [name for _, _, name in sorted(found)]


@dataclass(frozen=True)
class Sum:
    """A sum of means; `doubtful` when a part of it has no valid sample."""

    summary: Summary
    doubtful: bool


@dataclass(frozen=True)
class MultihopSamples:
    """A run's samples as the experiment sees them: per overlay, by the hosts that were reached."""

    run: StoredRun

    @cached_property
    def topology(self) -> Topology:
        return Topology.from_dict(self.run.manifest.topology)

    @cached_property
    def first(self) -> str:
        return self.topology.hosts[0].name

    @cached_property
    def targets(self) -> Sequence[str]:
        return targets(self.topology)

    @cached_property
    def overlays(self) -> Sequence[str]:
        """The overlays that have samples, in the order in which they were measured."""
        measured = {sample.overlay for sample in self.run.samples if sample.ok}
        return [name for name in self.run.manifest.overlays if name in measured]

    def group(self, overlay: str, metric: str, target: str, value: str) -> Group:
        """The samples from the first host to another."""
        params = {"from": self.first, "to": target}
        return select(self.run.samples, overlay, metric, value, **params)

    def cumulative(self, overlay: str, target: str) -> Sum | None:
        """The sum of the segments' mean latencies (ms) on the way; None where one is missing."""
        path = self.topology.path(self.first, target)
        links = [self.topology.link(*pair) for pair in pairwise(path)]
        parts = [
            select(self.run.samples, overlay, SEGMENT, "mean_ms", **{"from": link.a, "to": link.b})
            for link in links
        ]
        found = [part.summary for part in parts if part.summary is not None]
        if len(found) < len(parts):
            return None
        return Sum(total(found), any(part.doubtful for part in parts))

    def published(self, target: str) -> float | None:
        """The sum (ms) of the segments that the thesis published; None where it has not all of them."""
        path = [self.topology.host(name).site for name in self.topology.path(self.first, target)]
        known = {frozenset((s.a, s.b)): s.rtt for s in SEGMENTS if s.study == ZISMER}
        figures = [known.get(frozenset(pair)) for pair in pairwise(path)]
        return sum(f for f in figures if f is not None) if None not in figures else None


def tables(run: StoredRun) -> Sequence[Table]:
    """Hops by overlay: latency, cumulative sum, TCP and UDP, beside what the thesis says."""
    view = MultihopSamples(run)
    columns = ["hops", "to", *view.overlays, "asked", "2016"]
    sections = [
        Section(f"latency, ms round trip (2016: {CLAIMS[LATENCY]})", _latency(view)),
        Section("sum of the segments' latencies, ms (and what the overall latency adds to it)", _sums(view)),
        Section(f"TCP received, Mbit/s (2016: {CLAIMS[TCP]})", _rates(view, TCP, "received_mbps")),
        Section(f"UDP received, Mbit/s (2016: {CLAIMS[UDP]})", _rates(view, UDP, "received_mbps")),
        Section("UDP sent, Mbit/s: the sender's view, which 2016 plotted", _rates(view, UDP, "sent_mbps")),
    ]
    sections += [
        Section(f"{what}, as a multiple of the {CONTROL}'s [95 % interval]", _ratios(view, metric, value))
        for what, metric, value in (
            ("latency", LATENCY, "mean_ms"),
            ("TCP received", TCP, "received_mbps"),
            ("UDP received", UDP, "received_mbps"),
        )
    ]
    sections = [Section(s.heading, [row for row in s.rows if set(row[2:-2]) - {NOTHING}]) for s in sections]
    measured = [section for section in sections if section.rows]
    lacking = [Section(sentence, []) for sentence in captions.overlays(run)]
    title = f"multi-hop, {captions.rate(run)}: mean ± standard deviation [95 % interval]"
    return [Table(title, columns, [*measured, *lacking], _notes(view))]


def _row(
    view: MultihopSamples, target: str, cells: Sequence[str], asked: str, published: str = ""
) -> list[str]:
    return [str(view.topology.hops(view.first, target)), target, *cells, asked, published]


def _latency(view: MultihopSamples) -> list[list[str]]:
    return [
        _row(
            view,
            t,
            [text(view.group(name, LATENCY, t, "mean_ms")) for name in view.overlays],
            *_times(view, t),
        )
        for t in view.targets
    ]


def _sums(view: MultihopSamples) -> list[list[str]]:
    return [
        _row(view, t, [_sum(view, name, t) for name in view.overlays], *_times(view, t)) for t in view.targets
    ]


def _times(view: MultihopSamples, target: str) -> tuple[str, str]:
    """What the links were asked to take to a host, and what was published for the same sites (ms)."""
    published = view.published(target)
    return f"{view.topology.rtt(view.first, target):.2f}", f"{published:.2f}" if published else ""


def _sum(view: MultihopSamples, overlay: str, target: str) -> str:
    found = view.cumulative(overlay, target)
    overall = view.group(overlay, LATENCY, target, "mean_ms").summary
    if found is None:
        return NOTHING
    words = [f"{found.summary.mean:.2f}"]
    if found.summary.sd is not None:
        words.append(f"± {found.summary.sd:.2f}")
    if overall:
        words.append(f"({_signed(overall.mean - found.summary.mean)})")
    if found.doubtful:
        words.append("(a segment is not valid)")
    return " ".join(words)


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"


def _rates(view: MultihopSamples, metric: str, value: str) -> list[list[str]]:
    return [
        _row(view, t, [text(view.group(name, metric, t, value), 1) for name in view.overlays], _rate(view, t))
        for t in view.targets
    ]


def _ratios(view: MultihopSamples, metric: str, value: str) -> list[list[str]]:
    """Every overlay against the control; only where both have enough valid samples."""

    def cell(name: str, target: str) -> str:
        if name == CONTROL:
            return NOTHING
        own, control = (view.group(n, metric, target, value).valid for n in (name, CONTROL))
        return estimate(ratio(own, control))

    return [_row(view, t, [cell(name, t) for name in view.overlays], "") for t in view.targets]


def _rate(view: MultihopSamples, target: str) -> str:
    """The rate of the slowest link on the way (Mbit/s)."""
    path = view.topology.path(view.first, target)
    rates = [view.topology.link(*pair).rate for pair in pairwise(path)]
    known = [rate for rate in rates if rate is not None]
    return f"{min(known):g}" if known else ""


def _notes(view: MultihopSamples) -> list[str]:
    return [
        f"{captions.line(view.run)}",
        captions.per_cell(view.run),
        *captions.verdicts(view.run),
    ]


def figures(run: StoredRun, folder: Path) -> Sequence[Path]:
    """The thesis's figures 15 and 16, one panel per overlay."""
    view = MultihopSamples(run)
    if not view.overlays:
        return []
    drawn = []
    if any(sample.metric in (LATENCY, SEGMENT) for sample in run.samples if sample.ok):
        drawn += bar_chart.draw(_figure15(view), folder / "fig15-latency")
    if any(sample.metric in (TCP, UDP) for sample in run.samples if sample.ok):
        drawn += bar_chart.draw(_figure16(view), folder / "fig16-throughput")
    return drawn


def _figure15(view: MultihopSamples) -> bar_chart.Figure:
    published = [view.published(target) for target in view.targets]
    panels = [
        bar_chart.Panel(
            captions.with_mode(view.run, name),
            [
                bar_chart.Series("overall latency", bar_chart.BLUE, _bars(view, name, LATENCY, "mean_ms")),
                bar_chart.Series(
                    "cumulative sum of segments",
                    bar_chart.ORANGE,
                    [_sum_bar(view.cumulative(name, target)) for target in view.targets],
                ),
            ],
            published,
        )
        for name in view.overlays
    ]
    return _figure(view, "Latency across multiple hops", "round trip, ms (mean, sd)", panels)


def _figure16(view: MultihopSamples) -> bar_chart.Figure:
    panels = [
        bar_chart.Panel(
            captions.with_mode(view.run, name),
            [
                bar_chart.Series("TCP received", bar_chart.BLUE, _bars(view, name, TCP, "received_mbps")),
                bar_chart.Series("UDP received", bar_chart.ORANGE, _bars(view, name, UDP, "received_mbps")),
            ],
        )
        for name in view.overlays
    ]
    return _figure(view, "UDP and TCP throughput across multiple hops", "Mbit/s (mean, sd)", panels)


def _bars(view: MultihopSamples, overlay: str, metric: str, value: str) -> list[bar_chart.Bar | None]:
    return [bar_chart.bar(view.group(overlay, metric, target, value)) for target in view.targets]


def _sum_bar(found: Sum | None) -> bar_chart.Bar | None:
    return bar_chart.Bar(found.summary.mean, found.summary.sd, doubtful=found.doubtful) if found else None


def _figure(view: MultihopSamples, title: str, y: str, panels: Sequence[bar_chart.Panel]) -> bar_chart.Figure:
    groups = [f"{view.topology.hops(view.first, target)}\n{target}" for target in view.targets]
    caption = captions.line(view.run)
    return bar_chart.Figure(title, caption, groups, f"hops from {view.first}", y, panels, "published 2016")
