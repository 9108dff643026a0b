"""Charts that an experiment only declares: the axes, and the samples of each bar.

Each chart is a table and a figure: groups along one parameter (or the overlays themselves), a
panel per overlay, a bar per series. The table adds each overlay's ratio to the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.published import CONTROL
from lab.report import bar_chart, captions
from lab.report.selection import NOTHING, Group, interval, matches, text
from lab.report.statistics import Estimate, ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

COLOURS = (bar_chart.BLUE, bar_chart.ORANGE, bar_chart.GREEN, bar_chart.VERMILION)
Place = tuple[Any, ...]


@dataclass(frozen=True)
class Series:
    """Bars of one kind: the samples of a metric, with these parameters, and one of their values.

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
    overlay's own stands below a place, e.g. bytes that follow from its MTU.
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
        """Places along the axis: numbers in their order, then words in theirs."""
        places = {place for _, _, place in self.samples}
        return sorted(places, key=lambda place: [(isinstance(part, str), part) for part in place])

    def group(self, overlay: str, series: Series, place: Place) -> Group:
        """Group the values of one bar."""
        return Group.of(self.samples.get((overlay, series.label, place), ()), series.value)

    def published(self, overlay: str, series: Series, place: Place) -> float | None:
        """Return what a study has for one bar, if it has it."""
        return self.chart.published(overlay, place, series) if self.chart.published else None

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
    """Write the figure as SVG and PNG; no file without samples."""
    view = SampleView(run, chart)
    if not view.samples:
        return []
    panels = _panels(view)
    groups = panels[0].groups
    caption, y = captions.conditions(run), f"{chart.y_label} (mean, sd)"
    figure = bar_chart.Figure(chart.title, caption, groups, chart.x_label, y, panels, chart.study)
    return bar_chart.draw(figure, folder / chart.name)


def _panels(view: SampleView) -> list[bar_chart.Panel]:
    """A panel per overlay with groups along the parameter; without one, the overlays are the groups."""
    names = {name: captions.with_mode(view.run, name) for name in view.overlays}
    if view.chart.x:
        return [
            _panel(view, title, [(name, place) for place in view.places], _groups(view, name))
            for name, title in names.items()
        ]
    (place,) = view.places
    groups = [title.replace(" (", "\n(") for title in names.values()]
    return [_panel(view, "", [(name, place) for name in names], groups)]


def _panel(
    view: SampleView, title: str, keys: Sequence[tuple[str, Place]], groups: Sequence[str]
) -> bar_chart.Panel:
    """A group of bars per overlay and place, and a published mark for each of its bars."""
    series = [
        bar_chart.BarSeries(
            one.label, colour, [bar_chart.bar(view.group(name, one, place)) for name, place in keys]
        )
        for one, colour in zip(view.drawn, COLOURS, strict=False)
    ]
    marks = [[view.published(name, one, place) for one in view.drawn] for name, place in keys]
    return bar_chart.Panel(title, series, marks, groups)


def _groups(view: SampleView, overlay: str) -> list[str]:
    words = [word(place).replace("–", "–\n") for place in view.places]
    if view.chart.under is None:
        return words
    own = [view.chart.under(view.run, overlay, place) for place in view.places]
    return [f"{word}: {below}" if below else word for word, below in zip(words, own, strict=True)]
