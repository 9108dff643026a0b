"""Tables and figures of the multi-hop experiment, from stored samples alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from experiments.common.traffic import LATENCY, TCP, UDP, UDP_LARGE, UDP_SMALL
from lab.errors import TopologyError
from lab.published import CONTROL, SEGMENTS, ZISMER
from lab.report import captions, drawing
from lab.report.limits import link_limit
from lab.report.panels import HEADERS, LINK_LIMIT, Figure, Mean, Panel, PanelSeries, mean
from lab.report.selection import NOTHING, Group, interval, measured_overlays, select, text
from lab.report.statistics import Summary, ratio, total
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

SEGMENT = "segment"
#: UDP by its metrics, in words: the size of the datagrams.
DATAGRAMS = {UDP: "UDP", UDP_LARGE: "UDP of 8192 bytes", UDP_SMALL: "UDP of 1470 bytes"}
#: Lines of figure 16: a metric, its value, and the words for it.
LINES = (
    (TCP, "received_mbps", "TCP received"),
    *((name, "received_mbps", f"{words} received") for name, words in DATAGRAMS.items()),
    *((name, "sent_mbps", f"{words} sent") for name, words in DATAGRAMS.items()),
)
FINDINGS_2016 = {
    LATENCY: "no latency is added: overall equals the sum of the links, without variance",
    TCP: "drops sharply after the first hop, then slightly with each",
    UDP: "falls only slightly with each hop",
}


def targets(topology: Topology) -> list[str]:
    """Return all hosts that the first one reaches, by the number of hops from it."""
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
        """The topology of the run."""
        return Topology.from_dict(self.run.manifest.topology)

    @cached_property
    def first(self) -> str:
        """The host from which all others are reached."""
        return self.topology.hosts[0].name

    @cached_property
    def targets(self) -> Sequence[str]:
        """The hosts of which there are samples, by the number of hops."""
        reached = {s.params.get("to") for s in self.run.samples if s.params.get("from") == self.first}
        return [target for target in targets(self.topology) if target in reached]

    @cached_property
    def overlays(self) -> Sequence[str]:
        """The overlays that have samples, in the order in which they were measured."""
        return measured_overlays(self.run)

    def group(self, overlay: str, metric: str, target: str, value: str) -> Group:
        """Group one value of the samples from the first host to another."""
        params = {"from": self.first, "to": target}
        return select(self.run.samples, overlay, metric, value, **params)

    def segments(self, overlay: str, target: str) -> list[Group]:
        """Group the latencies (ms) of every link on the path to a host."""
        links = [self.topology.link(*pair) for pair in pairwise(self.topology.path(self.first, target))]
        ends = [{"from": link.a, "to": link.b} for link in links]
        return [select(self.run.samples, overlay, SEGMENT, "mean_ms", **pair) for pair in ends]

    def cumulative(self, overlay: str, target: str) -> Sum | None:
        """Sum the links' mean latencies (ms) on the path; None if one is missing."""
        parts = self.segments(overlay, target)
        found = [part.summary for part in parts if part.summary is not None]
        if len(found) < len(parts):
            return None
        return Sum(total(found), any(part.doubtful for part in parts))

    def published(self, target: str) -> float | None:
        """Sum the links' latencies (ms) that the thesis published; None if it does not have all of them."""
        path = [self.topology.host(name).site for name in self.topology.path(self.first, target)]
        known = {frozenset((s.a, s.b)): s.rtt for s in SEGMENTS if s.study == ZISMER}
        figures = [known.get(frozenset(pair)) for pair in pairwise(path)]
        return sum(f for f in figures if f is not None) if None not in figures else None


def tables(run: StoredRun) -> Sequence[Table]:
    """Make the table of hops by overlay: latency, its sum, TCP and UDP, beside what the thesis says."""
    view = MultihopSamples(run)
    columns = ["hops", "to", *view.overlays, "asked", "2016"]
    sections = [
        Section(
            f"latency, ms round trip (2016: {FINDINGS_2016[LATENCY]})",
            _rows(view, lambda name, t: text(view.group(name, LATENCY, t, "mean_ms")), _rtts),
        ),
        Section(
            "sum of the links' latencies, ms (overall minus sum in parentheses)",
            _rows(view, lambda name, t: _sum(view, name, t), _rtts),
        ),
        _throughput(view, f"TCP received, Mbit/s (2016: {FINDINGS_2016[TCP]})", TCP, "received_mbps"),
        *(section for name, words in DATAGRAMS.items() for section in _both_ends(view, name, words)),
        _ratios(view, "latency", LATENCY, "mean_ms"),
        _ratios(view, "TCP received", TCP, "received_mbps"),
        _ratios(view, "UDP received", UDP, "received_mbps"),
    ]
    return [captions.table(run, "multi-hop", columns, [section for section in sections if section.rows])]


def _rows(
    view: MultihopSamples,
    cell: Callable[[str, str], str],
    asked: Callable[[MultihopSamples, str], tuple[str, str]] = lambda view, target: ("", ""),
) -> list[list[str]]:
    """A row per host, with a cell per overlay, the requested and the published values; no row without a
    cell.
    """
    rows = [
        [str(view.topology.hops(view.first, target)), target]
        + [cell(name, target) for name in view.overlays]
        + [*asked(view, target)]
        for target in view.targets
    ]
    return [row for row in rows if set(row[2:-2]) - {NOTHING}]


def _rtts(view: MultihopSamples, target: str) -> tuple[str, str]:
    """The round trip (ms) asked of the links to a host, and that published for the same sites."""
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
        words.append(f"({round(overall.mean - found.summary.mean, 2) + 0.0:+.2f})")
    if found.doubtful:
        words.append("(a link is not valid)")
    return " ".join(words)


def _throughput(view: MultihopSamples, heading: str, metric: str, value: str) -> Section:
    return Section(heading, _rows(view, lambda name, t: text(view.group(name, metric, t, value), 1), _rate))


def _both_ends(view: MultihopSamples, metric: str, words: str) -> list[Section]:
    received = f"{words} received, Mbit/s (2016: {FINDINGS_2016[UDP]})"
    sent = f"{words} sent, Mbit/s: the sender's view, which 2016 plotted"
    return [
        _throughput(view, received, metric, "received_mbps"),
        _throughput(view, sent, metric, "sent_mbps"),
    ]


def _rate(view: MultihopSamples, target: str) -> tuple[str, str]:
    """The rate of the slowest link on the way (Mbit/s)."""
    path = view.topology.path(view.first, target)
    rates = [view.topology.link(*pair).rate for pair in pairwise(path)]
    known = [rate for rate in rates if rate is not None]
    return f"{min(known):g}" if known else "", ""


def _ratios(view: MultihopSamples, what: str, metric: str, value: str) -> Section:
    """Every overlay against the control; only where both have enough valid samples."""

    def cell(name: str, target: str) -> str:
        if name == CONTROL:
            return NOTHING
        own, control = (view.group(n, metric, target, value).means for n in (name, CONTROL))
        return interval(ratio(own, control))

    return Section(f"{what}, as a multiple of the {CONTROL}'s [95 % interval]", _rows(view, cell))


def figures(run: StoredRun, folder: Path) -> Sequence[Path]:
    """Draw the thesis's figures 15 and 16, and what latency is added, with one panel per overlay."""
    view = MultihopSamples(run)
    metrics = {sample.metric for sample in run.samples if sample.ok}
    drawn: list[Path] = []
    if metrics & {LATENCY, SEGMENT}:
        drawn += drawing.draw(_latency(view), folder / "fig15-latency")
    if LATENCY in metrics:
        drawn += drawing.draw(_added(view), folder / "fig15-added")
    if metrics & {TCP, *DATAGRAMS}:
        drawn += drawing.draw(_throughputs(view), folder / "fig16-throughput")
    return drawn


def _latency(view: MultihopSamples) -> Figure:
    asked = [view.topology.rtt(view.first, target) for target in view.targets]
    published = [view.published(target) for target in view.targets]

    def series(name: str) -> list[PanelSeries]:
        found = [view.cumulative(name, target) for target in view.targets]
        sums = [Mean(one.summary.mean, doubtful=one.doubtful) if one else None for one in found]
        overall = [mean(view.group(name, LATENCY, target, "mean_ms")) for target in view.targets]
        measured = [PanelSeries("overall latency", overall, published, asked)]
        return [*measured, PanelSeries("cumulative sum of links", sums)] if any(sums) else measured

    words = ("requested of the links", "Dashed: the sum of the requested round trips of the links.")
    return _figure(view, "Latency over several hops", "round trip, ms", series, *words)


def _added(view: MultihopSamples) -> Figure:
    def added(name: str, target: str) -> Mean | None:
        asked = view.topology.rtt(view.first, target)
        measured = view.group(name, LATENCY, target, "mean_ms").entries
        return mean(Group([one._replace(value=one.value - asked) for one in measured]))

    title = "Latency added to the requested latency of the links"
    return _figure(
        view, title, "added to the round trip, ms",
        lambda name: [PanelSeries("added latency", [added(name, target) for target in view.targets])],
    )  # fmt: skip


def _throughputs(view: MultihopSamples) -> Figure:
    def limit(metric: str, target: str) -> float | None:
        samples = (s for s in view.run.samples if s.ok and s.metric == metric)
        own = (s for s in samples if (s.params.get("from"), s.params.get("to")) == (view.first, target))
        return next((link_limit(view.topology, sample) for sample in own), None)

    measured = {sample.metric for sample in view.run.samples if sample.ok}
    lines = [line for line in LINES if line[0] in measured]
    # the sender offers the links' rate, so a limit of what goes through is none for it
    limits = {
        (metric, value): [limit(metric, t) if value == "received_mbps" else None for t in view.targets]
        for metric, value, _ in lines
    }

    def series(name: str) -> list[PanelSeries]:
        return [
            PanelSeries(
                words,
                [mean(view.group(name, metric, target, value)) for target in view.targets],
                limits=limits[metric, value],
            )
            for metric, value, words in lines
        ]

    return _figure(view, "TCP and UDP throughput over several hops", "Mbit/s", series)


def _figure(
    view: MultihopSamples,
    title: str,
    y: str,
    series: Callable[[str], list[PanelSeries]],
    limit: str = LINK_LIMIT,
    limit_means: str = HEADERS,
) -> Figure:
    """Lines by hops along a chain; bars by host where several are as many hops away."""
    hops = [view.topology.hops(view.first, target) for target in view.targets]
    names = [f"{count}\n{target}" for count, target in zip(hops, view.targets, strict=True)]
    chain = len(set(hops)) == len(hops)
    places = [float(count) for count in hops] if chain else [name.replace("\n", ": ") for name in names]
    x = f"hops from {view.first}"
    panels = [
        Panel(captions.label(view.run, name), series(name), places, x, y, names if chain else ())
        for name in view.overlays
    ]
    return Figure(title, panels, captions.conditions(view.run), limit=limit, limit_means=limit_means)
