"""A panel of lines: what was varied is a quantity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING

from lab.report.looks import CROSS, DOT, LIMIT, PUBLISHED, Look
from lab.report.panels import Mean, Panel, PanelSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Between the lines of two series, and between two samples of one mean, as shares of the least distance of
#: two places: where values are equal, none hides another.
APART, SPREAD = 0.08, 0.02
#: Limits of two series are nearly the same from this share of the higher one.
NEAR = 0.95
#: Up to so many places all have a tick.
FEW = 7
#: Moves a place by a share of the least distance.
Beside = Callable[[float, float], float]


def draw(ax: Axes, panel: Panel, looks: Mapping[str, Look]) -> None:
    """Draw lines with bands, samples, limits and published values."""
    places = [float(place) for place in panel.places]
    if panel.log:
        ax.set_xscale("log")
    beside = _beside(places, panel.log)
    for number, series in enumerate(panel.series):
        part = (number - (len(panel.series) - 1) / 2) * APART
        _line(ax, [beside(place, part) for place in places], series, looks[series.label], beside)
        published = [(x, v) for x, v in zip(places, series.published, strict=False) if v is not None]
        if published:
            ax.plot(*zip(*published, strict=True), **PUBLISHED)
    for limits in _limits(panel):
        there = [(x, v) for x, v in zip(places, limits, strict=False) if v is not None]
        if there:
            ax.plot(*zip(*there, strict=True), **LIMIT)
    _ticks(ax, panel, places)


def _beside(places: Sequence[float], log: bool) -> Beside:
    if log:
        ratio = min((b / a for a, b in pairwise(sorted(places))), default=2.0)
        return lambda place, part: place * ratio**part
    gap = min((b - a for a, b in pairwise(sorted(places))), default=1.0)
    return lambda place, part: place + gap * part


def _line(ax: Axes, places: Sequence[float], series: PanelSeries, look: Look, beside: Beside) -> None:
    there = [(x, one) for x, one in zip(places, series.means, strict=True) if one is not None]
    if not there:
        return
    ax.plot([x for x, _ in there], [one.value for _, one in there], color=look.colour, zorder=3)
    for x, one in there:
        face = "white" if one.doubtful else look.colour
        ax.plot(x, one.value, look.marker, mfc=face, mec=look.colour, mew=0.9, zorder=4)
        _samples(ax, x, one, look, beside)
    # of a place without an interval they are no numbers: the band ends before it, and begins again after it
    low = [nan if one is None or one.low is None else one.low for one in series.means]
    high = [nan if one is None or one.high is None else one.high for one in series.means]
    ax.fill_between(places, low, high, color=look.colour, alpha=0.22, lw=0)
    for x, least, most in zip(places, low, high, strict=True):
        ax.plot((x, x), (least, most), color=look.colour, lw=0.8, zorder=2.8)


def _samples(ax: Axes, place: float, one: Mean, look: Look, beside: Beside) -> None:
    """Samples side by side; first those that count."""
    step = min(SPREAD, APART / max(len(one.valid) + len(one.invalid), 1))
    dots, crosses = ([beside(place, part) for part in parts] for parts in one.side_by_side(step))
    if dots:
        ax.scatter(dots, one.valid, edgecolor=look.colour, **DOT)
    if crosses:
        ax.scatter(crosses, one.invalid, color=look.colour, **CROSS)


def _limits(panel: Panel) -> Sequence[Sequence[float | None]]:
    """Return the lines of limits: those of all series in one, the highest, where they are nearly the same."""
    rows = [series.limits for series in panel.series if any(v is not None for v in series.limits)]
    highest = [max((v for v in row if v is not None), default=None) for row in zip(*rows, strict=False)]
    near = all(
        value is None or most is None or value > NEAR * most
        for row in rows
        for value, most in zip(row, highest, strict=False)
    )
    return [highest] if rows and near else rows


def _ticks(ax: Axes, panel: Panel, places: Sequence[float]) -> None:
    if panel.ticks:
        ax.set_xticks(places, panel.ticks)
    elif len(places) <= FEW and not panel.log:
        ax.set_xticks(places, [f"{place:g}" for place in places])
