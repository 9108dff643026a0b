"""Charts that an experiment only has to name: what stands on the axes, and which samples make a bar.

Each chart is a table and a figure: groups along one parameter (or the overlays themselves), a
panel per overlay, a bar per line. The table adds each overlay's ratio to the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.report import bar_chart, captions
from lab.report.selection import NOTHING, Group, text
from lab.report.statistics import Estimate, ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

CONTROL = "underlay"
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
    `published` gives what a study has for (overlay, place, line), if it has it. `controls` names
    what each overlay is compared with; by default all are with the underlay. `under` is what of an
    overlay's own stands below a place, e.g. bytes that follow from its MTU.
    """

    name: str
    title: str
    x: tuple[str, ...]
    x_label: str
    y_label: str
    lines: Sequence[Series]
    digits: int = 1
    word: Callable[[Place], str] = lambda place: "–".join(map(str, place))
    published: Callable[[str, Place, Series], float | None] | None = None
    study: str = "published 2016"
    note: str = ""
    controls: Mapping[str, str] | None = None
    under: Callable[[StoredRun, str, Place], str] | None = None

    def control(self, overlay: str) -> str | None:
        """The overlay that this one is compared with; None for one that others are compared with."""
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
        """What was measured, by overlay, line and place."""
        found: dict[tuple[str, str, Place], list[Sample]] = {}
        for sample in self.run.samples:
            for line in self.chart.lines if sample.ok else ():
                if belongs(sample, line):
                    place = tuple(sample.params.get(name) for name in self.chart.x)
                    found.setdefault((sample.overlay, line.label, place), []).append(sample)
        return found

    @cached_property
    def overlays(self) -> Sequence[str]:
        measured = {overlay for overlay, _, _ in self.samples}
        return [name for name in self.run.manifest.overlays if name in measured]

    @property
    def drawn(self) -> Sequence[Series]:
        return [line for line in self.chart.lines if line.drawn]

    @cached_property
    def places(self) -> Sequence[Place]:
        return sorted({place for _, _, place in self.samples}, key=_by_kind)

    def group(self, overlay: str, line: Series, place: Place) -> Group:
        """The values of one bar."""
        samples = self.samples.get((overlay, line.label, place), ())
        return Group(
            [sample.values[line.value] for sample in samples if sample.valid],
            [sample.values[line.value] for sample in samples if not sample.valid],
        )

    def published(self, overlay: str, line: Series, place: Place) -> float | None:
        return self.chart.published(overlay, place, line) if self.chart.published else None


def belongs(sample: Sample, line: Series) -> bool:
    """Whether a sample is one of a line's."""
    return (
        sample.metric == line.metric
        and line.value in sample.values
        and all(sample.params.get(key) == value for key, value in line.params.items())
    )


def _by_kind(place: Place) -> list[tuple[bool, Any]]:
    return [(isinstance(part, str), part) for part in place]


def table(run: StoredRun, chart: Chart) -> Table:
    """Places by overlay, a section per line, then the ratios to the control."""
    view = SampleView(run, chart)
    columns = [chart.x_label if chart.x else "", *view.overlays]
    sections = [*_means(view), *_ratios(view), *_published(view)]
    sections += [Section(sentence, []) for sentence in captions.overlays(run)]
    title = f"{chart.title}, {captions.rate(run)}: mean ± standard deviation [95 % interval]"
    notes = [
        captions.line(run),
        captions.per_cell(run),
        *([chart.note] if chart.note else []),
        *captions.verdicts(run),
    ]
    return Table(title, columns, sections, notes)


def _means(view: SampleView) -> Iterator[Section]:
    for line in view.chart.lines:
        yield from _section(
            view,
            f"{line.label}, {view.chart.y_label}",
            lambda overlay, place, line=line: text(view.group(overlay, line, place), view.chart.digits),  # type: ignore[misc]
        )


def _ratios(view: SampleView) -> Iterator[Section]:
    """Every overlay against its control; only what both have enough valid samples for."""
    names = {view.chart.control(name) for name in view.overlays} & set(view.overlays)
    what = next(iter(names)) if len(names) == 1 else "its control"
    for line in view.chart.lines:
        yield from _section(
            view,
            f"{line.label}, as a multiple of {what}'s [95 % interval]",
            lambda overlay, place, line=line: estimate(against_control(view, overlay, line, place)),  # type: ignore[misc]
        )


def _published(view: SampleView) -> Iterator[Section]:
    for line in view.chart.lines:
        yield from _section(
            view,
            f"{line.label}, {view.chart.y_label}: {view.chart.study}",
            lambda overlay, place, line=line: _number(view.published(overlay, line, place)),  # type: ignore[misc]
        )


def _section(view: SampleView, heading: str, cell: Callable[[str, Place], str]) -> Iterator[Section]:
    rows = [[view.chart.word(place), *(cell(name, place) for name in view.overlays)] for place in view.places]
    rows = [row for row in rows if set(row[1:]) - {NOTHING}]
    if rows:
        yield Section(heading, rows)


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def against_control(view: SampleView, overlay: str, line: Series, place: Place) -> Estimate | None:
    """The ratio of an overlay's valid samples to its control's; None with too few."""
    control = view.chart.control(overlay)
    if control is None:
        return None
    return ratio(view.group(overlay, line, place).valid, view.group(control, line, place).valid)


def estimate(found: Estimate | None, digits: int = 2) -> str:
    """``0.83 [0.79–0.88]``."""
    if found is None:
        return NOTHING
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}–{found.high:.{digits}f}]"


def draw(run: StoredRun, chart: Chart, folder: Path) -> list[Path]:
    """Write the figure as SVG and PNG; nothing where nothing was measured."""
    view = SampleView(run, chart)
    if not view.samples:
        return []
    panels, groups = _panels(view) if chart.x else _one_panel(view)
    caption = captions.line(run)
    figure = bar_chart.Figure(
        chart.title, caption, groups, chart.x_label, f"{chart.y_label} (mean, sd)", panels, chart.study
    )
    return bar_chart.draw(figure, folder / chart.name)


def _panels(view: SampleView) -> tuple[list[bar_chart.Panel], list[str]]:
    """A panel per overlay, groups along the parameter."""
    panels = [
        bar_chart.Panel(
            captions.with_mode(view.run, name),
            [
                bar_chart.Series(
                    line.label, colour, [bar_chart.bar(view.group(name, line, p)) for p in view.places]
                )
                for line, colour in zip(view.drawn, COLOURS, strict=False)
            ],
            _marks(view, name),
            _groups(view, name),
        )
        for name in view.overlays
    ]
    return panels, _groups(view, view.overlays[0])


def _groups(view: SampleView, overlay: str) -> list[str]:
    """What stands below each group of bars."""
    words = [view.chart.word(place).replace("–", "–\n") for place in view.places]
    if view.chart.under is None:
        return words
    own = [view.chart.under(view.run, overlay, place) for place in view.places]
    return [f"{word}: {below}" if below else word for word, below in zip(words, own, strict=True)]


def _marks(view: SampleView, overlay: str) -> list[list[float | None]]:
    """The published figures, per place one for each line."""
    return [[view.published(overlay, line, place) for line in view.drawn] for place in view.places]


def _one_panel(view: SampleView) -> tuple[list[bar_chart.Panel], list[str]]:
    """The overlays themselves as groups."""
    (place,) = view.places
    series = [
        bar_chart.Series(
            line.label, colour, [bar_chart.bar(view.group(name, line, place)) for name in view.overlays]
        )
        for line, colour in zip(view.drawn, COLOURS, strict=False)
    ]
    marks = [[view.published(name, line, place) for line in view.drawn] for name in view.overlays]
    groups = [captions.with_mode(view.run, name).replace(" (", "\n(") for name in view.overlays]
    return [bar_chart.Panel("", series, marks)], groups
