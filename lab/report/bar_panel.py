"""A panel of bars: places are words, one below the other, so that a long name fits beside its bars.

On a logarithmic scale, where a bar has no length, a mark takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.report.looks import ACROSS, BLACK, CROSS, DOT, GREY, LIMIT, Look
from lab.report.panels import Mean, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of a group of bars, and of a bar, in units of the distance between groups.
WIDTH, THICK = 0.8, 0.92
#: A limit is seen on a bar as well.
OVER_BARS: Any = {"color": BLACK, "zorder": 2.9, "ls": (0, (2, 1.2)), "lw": 1.2}


def draw(ax: Axes, panel: Panel, looks: Mapping[str, Look]) -> None:
    """Draw bars or marks with intervals, samples, limits and published values."""
    width = WIDTH / len(panel.series)
    for number, series in enumerate(panel.series):
        shift = (number - (len(panel.series) - 1) / 2) * width
        for place, one in zip(panel.rows, series.means, strict=True):
            if one is not None:
                (_mark if panel.log else _bar)(ax, place + shift, width * THICK, one, looks[series.label])
                _samples(ax, place + shift, width * THICK, one)
        for values, look in ((series.limits, LIMIT | OVER_BARS), (series.published, ACROSS)):
            for place, value in zip(panel.rows, values, strict=False):
                if value is not None:
                    ends = (place + shift - width / 2, place + shift + width / 2)
                    ax.plot((value, value), ends, **look)
    for place, words in panel.notes.items():
        beside = ax.get_yaxis_transform()
        ax.text(0.01, panel.rows[place], words, va="center", style="italic", color=GREY, transform=beside)
    ax.set_yticks(panel.rows, [str(place) for place in panel.places])
    ax.set_ylim(panel.rows[-1] + 0.5, panel.rows[0] - 0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=panel.log, axis="y")


def _bar(ax: Axes, place: float, width: float, one: Mean, look: Look) -> None:
    """A filled bar; a hollow one with a broken outline where no sample counts."""
    (drawn,) = ax.barh(
        place, one.value, width, edgecolor=BLACK, linewidth=0.6, hatch=look.hatch, color=look.colour
    )
    if one.doubtful:
        drawn.set(facecolor="none", edgecolor=look.colour, linestyle="--")
    if one.low is not None and one.high is not None:
        ax.plot((one.low, one.high), (place, place), color=BLACK, lw=1.0, zorder=3)


def _mark(ax: Axes, place: float, _: float, one: Mean, look: Look) -> None:
    """A filled mark; a hollow one where no sample counts."""
    face = "white" if one.doubtful else look.colour
    ax.plot(one.value, place, look.marker, ms=5, mfc=face, mec=look.colour, mew=1.0, zorder=4)
    if one.low is not None and one.high is not None and one.low > 0:
        ax.plot((one.low, one.high), (place, place), color=look.colour, lw=1.4, zorder=3)


def _samples(ax: Axes, place: float, width: float, one: Mean) -> None:
    """Samples side by side, so that none hides another; first those that count."""
    from matplotlib.patheffects import withStroke

    step = width * 0.7 / max(len(one.valid) + len(one.invalid), 2)
    dots, crosses = ([place + part for part in parts] for parts in one.side_by_side(step))
    halo = [withStroke(linewidth=1.6, foreground="white")]
    if dots:
        ax.scatter(one.valid, dots, edgecolor=BLACK, **DOT)
    if crosses:
        ax.scatter(one.invalid, crosses, color=BLACK, path_effects=halo, **CROSS)
