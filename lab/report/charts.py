"""Charts that an experiment only declares: the axes, and the samples of each bar.

Each chart is a table and a figure. The figure has a panel per overlay: lines along a parameter that is a
quantity, bars for each place of one that is not, a line or bar per series. Without a parameter, the overlays
themselves are the places of one panel. The table adds each overlay's ratio to the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

from lab.published import CONTROL
from lab.report import captions, drawing, limits
from lab.report.panels import Figure, Panel, PanelSeries, mean
from lab.report.selection import NOTHING, Group, interval, matches, text
from lab.report.statistics import Estimate, ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample
from lab.topology import Topology

#: Overlays in these states have a line in a figure, without bars.
NOT_MEASURED = ("not obtainable", "failed")
#: Above a family of overlays, in units of a group of bars.
GAP = 0.5
#: Ends of the names of values that a link's rate limits.
OF_A_RATE = "_mbps"
Place = tuple[Any, ...]


@dataclass(frozen=True)
class Series:
    """Lines or bars of one kind: the samples of a metric, with these parameters, and one of their values.

    One that is not `drawn` stands in the table alone.
    """

    label: str
    metric: str
    value: str
    params: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = True


@dataclass(frozen=True)
class Chart:
    """A figure and its table.

    `x` names the parameters along the axis; without any, the overlays themselves stand there.
    `published` gives what a study has for (overlay, place, series), if it has it. `controls` names
    what each overlay is compared with; by default all are with the underlay. `under` is what of an
    overlay's own stands below a place, e.g. bytes that follow from its MTU. `log` makes the axes of
    quantities logarithmic. `categories` draws bars for numbers that are cases, not steps of one quantity.
    """

    name: str
    title: str
    y_label: str
    series: Sequence[Series]
    x: tuple[str, ...] = ()
    x_label: str = ""
    digits: int = 1
    published: Callable[[str, Place, Series], float | None] | None = None
    study: str = "published 2016"
    note: str = ""
    controls: Mapping[str, str] | None = None
    under: Callable[[StoredRun, str, Place], str] | None = None
    log: bool = False
    categories: bool = False

    def control(self, overlay: str) -> str | None:
        """Return the overlay that this one is compared with; None for one that others are compared with."""
        if self.controls is not None:
            return self.controls.get(overlay)
        return CONTROL if overlay != CONTROL else None


@dataclass(frozen=True)
class SampleView:
    """The samples of a run as a chart sees them."""

    run: StoredRun
    chart: Chart

    @cached_property
    def samples(self) -> Mapping[tuple[str, str, Place], list[Sample]]:
        """Measured samples by overlay, series and place."""
        found: dict[tuple[str, str, Place], list[Sample]] = {}
        for sample in self.run.samples:
            for series in self.chart.series:
                if matches(sample, series.metric, series.value, series.params):
                    place = tuple(sample.params.get(name) for name in self.chart.x)
                    found.setdefault((sample.overlay, series.label, place), []).append(sample)
        return found

    @cached_property
    def overlays(self) -> Sequence[str]:
        """The overlays with samples of the chart, in the order of the run."""
        measured = {overlay for overlay, _, _ in self.samples}
        return [name for name in self.run.manifest.overlays if name in measured]

    @property
    def drawn(self) -> Sequence[Series]:
        """The series that have bars in the figure."""
        return [series for series in self.chart.series if series.drawn]

    @cached_property
    def places(self) -> Sequence[Place]:
        """Places along the axis: numbers in their order, hosts in that of the topology, then other words."""
        places = {place for _, _, place in self.samples}
        return sorted(places, key=lambda place: [self._rank(part) for part in place])

    def _rank(self, part: Any) -> tuple[int, float, str]:
        if not isinstance(part, str):
            return 0, -inf if part is None else part, ""
        number = self._numbers.get(part)
        return (2, 0, part) if number is None else (1, number, "")

    @cached_property
    def _topology(self) -> Topology | None:
        return limits.topology_of(self.run)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {host.name: host.number for host in self._topology.hosts} if self._topology else {}

    def group(self, overlay: str, series: Series, place: Place) -> Group:
        """Group the values of one bar."""
        return Group.of(self.samples.get((overlay, series.label, place), ()), series.value)

    def published(self, overlay: str, series: Series, place: Place) -> float | None:
        """Return what a study has for one bar, if it has it."""
        return self.chart.published(overlay, place, series) if self.chart.published else None

    def limit(self, overlay: str, series: Series, place: Place) -> float | None:
        """Return what the links carry of a series' data (Mbit/s); None of what no rate limits."""
        if self._topology is None or not series.value.endswith(OF_A_RATE):
            return None
        samples = self.samples.get((overlay, series.label, place), ())
        return next((limits.link_limit(self._topology, sample) for sample in samples if sample.ok), None)

    def against_control(self, overlay: str, series: Series, place: Place) -> Estimate | None:
        """Return the ratio of an overlay's valid samples to its control's; None with too few."""
        control = self.chart.control(overlay)
        if control is None:
            return None
        return ratio(self.group(overlay, series, place).means, self.group(control, series, place).means)


def table(run: StoredRun, chart: Chart) -> Table:
    """Make the chart's table: places by overlay, a section per series, then the ratios to the control."""
    view = SampleView(run, chart)
    columns = [chart.x_label if chart.x else "", *view.overlays]
    return captions.table(run, chart.title, columns, list(_sections(view)), chart.note)


def _sections(view: SampleView) -> Iterator[Section]:
    """Means, ratios to the control (of enough valid samples of both) and published figures."""
    chart = view.chart
    names = {chart.control(name) for name in view.overlays} & set(view.overlays)
    control = next(iter(names)) if len(names) == 1 else "its control"
    kinds: tuple[tuple[str, Callable[[str, Series, Place], str]], ...] = (
        (chart.y_label, lambda *bar: text(view.group(*bar), chart.digits)),
        (f"as a multiple of {control}'s [95 % interval]", lambda *bar: interval(view.against_control(*bar))),
        (f"{chart.y_label}: {chart.study}", lambda *bar: _number(view.published(*bar))),
    )
    for what, cell in kinds:
        for series in chart.series:
            rows = [
                [word(place), *(cell(name, series, place) for name in view.overlays)] for place in view.places
            ]
            rows = [row for row in rows if set(row[1:]) - {NOTHING}]
            if rows:
                yield Section(f"{series.label}, {what}", rows)


def word(place: Place) -> str:
    """Write a place along the axis, e.g. ``AMS–BRA``."""
    return "–".join(map(str, place))


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def draw(run: StoredRun, chart: Chart, folder: Path) -> list[Path]:
    """Write the figure as SVG, PDF and PNG with its caption; no files without samples."""
    view = SampleView(run, chart)
    if not view.samples:
        return []
    figure = Figure(chart.title, _panels(view), captions.conditions(run), chart.study)
    return drawing.draw(figure, folder / chart.name)


def _panels(view: SampleView) -> list[Panel]:
    """A panel per overlay with places along the parameter; without one, the overlays are the places."""
    if view.chart.x:
        return [_of_overlay(view, name) for name in view.overlays]
    return [overlays_panel(view)]


def _of_overlay(view: SampleView, overlay: str) -> Panel:
    chart, keys = view.chart, [(overlay, place) for place in view.places]
    title = captions.label(view.run, overlay)
    series = [_series(view, one, keys) for one in view.drawn]
    numeric = all(len(place) == 1 and isinstance(place[0], int | float) for place in view.places)
    if numeric and not chart.categories:
        numbers = [float(place[0]) for place in view.places]
        ticks = _ticks(view, overlay) if chart.under else ()
        return Panel(title, series, numbers, chart.x_label, chart.y_label, ticks, log=chart.log)
    return Panel(
        title, series, [word(place) for place in view.places], chart.x_label, chart.y_label, log=chart.log
    )


def overlays_panel(view: SampleView, title: str = "") -> Panel:
    """Return a panel with bars of each overlay beside those of its control; also those that were not had.

    An overlay that is not compared with the same as all others begins a family, with a gap above it.
    """
    states = {name: overlay.state for name, overlay in view.run.manifest.overlays.items()}
    names = families(view.chart, [n for n in states if n in view.overlays or states[n] in NOT_MEASURED])
    (place,) = view.places
    notes = {
        number: f"{states[name]} here" if states[name] == NOT_MEASURED[0] else states[name]
        for number, name in enumerate(names)
        if name not in view.overlays
    }
    at, last = [], 0.0
    for number, name in enumerate(names):
        last += (1 + GAP * (view.chart.control(name) not in names)) * bool(number)
        at.append(last)
    series = [_series(view, one, [(name, place) for name in names]) for one in view.drawn]
    labels = [captions.label(view.run, name) for name in names]
    spaced = at if view.chart.controls is not None else ()
    return Panel(title, series, labels, "", view.chart.y_label, at=spaced, notes=notes, log=view.chart.log)


def families(chart: Chart, names: Sequence[str]) -> list[str]:
    """Put each overlay below the one that it is compared with, where a chart says which one that is."""
    if chart.controls is None:
        return list(names)
    first = [name for name in names if chart.control(name) not in names]
    return [name for one in first for name in (one, *(n for n in names if chart.control(n) == one))]


def _series(view: SampleView, one: Series, keys: Sequence[tuple[str, Place]]) -> PanelSeries:
    """The means of a series at these places, with what was published and what the links allow."""
    return PanelSeries(
        one.label,
        [mean(view.group(name, one, place)) for name, place in keys],
        [view.published(name, one, place) for name, place in keys],
        [view.limit(name, one, place) for name, place in keys],
    )


def _ticks(view: SampleView, overlay: str) -> list[str]:
    """Name the places along the axis, with what of the overlay's own is below each."""
    below = view.chart.under
    assert below is not None
    return [f"{word(place)}\n{below(view.run, overlay, place)}".rstrip() for place in view.places]
