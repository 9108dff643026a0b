"""Grouped bars of means with standard deviations, as the thesis drew them, with every sample as a dot.

Colours are of Okabe and Ito's set, which colour-blind readers can tell apart; bars also
differ in their hatching, for print without colour.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import RunError
from lab.report.selection import Group
from lab.util.documents import legal_xml
from lab.util.files import replace

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

BLUE, ORANGE, GREEN, VERMILION, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000"
#: How many times the highest bar a published value may be and still be in the picture.
FAR, BEYOND = 3.0, "published values beyond the scale are in the table"
GREY, DASHES = "#666666", (0, (4, 2))
HATCHES = ("", "///", "...", "xxx")
WIDTH = 0.8  # of a group of bars, in units of the distance between groups
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lab",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
}


@dataclass(frozen=True)
class Bar:
    """A mean with its spread; the samples behind it, and those that do not count."""

    mean: float
    sd: float | None = None
    valid: Sequence[float] = ()
    invalid: Sequence[float] = ()
    doubtful: bool = False


@dataclass(frozen=True)
class BarSeries:
    """Bars of one kind, one per group; None where nothing was measured."""

    label: str
    colour: str
    bars: Sequence[Bar | None]


@dataclass(frozen=True)
class Panel:
    """One set of axes: groups of bars, and published values as marks.

    A group has one mark across it, or a list of marks, one across each of its bars. `groups` are the
    panel's own names of them, where the figure's do not do.
    """

    title: str
    series: Sequence[BarSeries]
    published: Sequence[float | Sequence[float | None] | None] = ()
    groups: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """Panels side by side with one scale; `caption` names rate, shaper and what is shown."""

    title: str
    caption: str
    groups: Sequence[str]
    x: str
    y: str
    panels: Sequence[Panel]
    published: str = "published"


def bar(group: Group) -> Bar | None:
    """Make the bar of a group of samples."""
    found = group.summary
    return Bar(found.mean, found.sd, group.valid, group.invalid, group.doubtful) if found else None


@contextmanager
def canvas(
    path: Path, columns: int, size: tuple[float, float]
) -> Iterator[tuple[Drawing, Sequence[Axes], list[Path]]]:
    """Give a drawing (inches) with axes side by side; then write ``path.svg`` and ``path.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    if path.parent.is_symlink():
        raise RunError(f"{path.parent} is a link, through which the lab does not write; remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_suffix(".svg"), path.with_suffix(".png")]
    with mpl.rc_context(STYLE):
        drawing, axes = plt.subplots(1, columns, figsize=size, sharey=True, squeeze=False)
        yield drawing, axes[0], files
        for file in files:
            held, svg = io.BytesIO(), file.suffix == ".svg"
            form = file.suffix.removeprefix(".")
            drawing.savefig(held, format=form, dpi=150, metadata={"Date": None} if svg else None)
            replace(file, legal_xml(held.getvalue()) if svg else held.getvalue())
        plt.close(drawing)


def draw(figure: Figure, path: Path) -> list[Path]:
    """Write ``path.svg`` and ``path.png`` and return both."""
    size = (2 + _width(figure) * len(figure.panels), 4.2)
    with canvas(path, len(figure.panels), size) as (drawing, axes, files):
        for ax, panel in zip(axes, figure.panels, strict=True):
            _panel(ax, panel, figure)
        axes[0].set_ylabel(figure.y)
        # after the last panel: it ends the growing of the common scale
        axes[0].set_ylim(bottom=0, top=_top(figure))
        handles, labels = _legend(figure)
        # a small letter takes some 0.07 inches
        columns = max(1, int((size[0] - 0.2) / (0.6 + 0.07 * max(map(len, labels)))))
        look: Any = {"loc": "upper left", "bbox_to_anchor": (0.01, 0.94), "frameon": False}
        drawing.legend(handles, labels, ncols=columns, fontsize="small", **look)
        drawing.suptitle(figure.title, x=0.02, ha="left", fontweight="bold")
        beyond = f"; {BEYOND}" if _top(figure) else ""
        drawing.text(0.02, 0.01, figure.caption + beyond, fontsize=7, va="bottom", wrap=True)
        drawing.tight_layout(rect=(0, 0.05, 1, 0.9))
    return files


def _drawn(figure: Figure) -> list[Bar]:
    return [one for panel in figure.panels for series in panel.series for one in series.bars if one]


def _top(figure: Figure) -> float | None:
    """The end of the scale where published values are so far above the bars that these would vanish."""
    drawn = _drawn(figure)
    most = max((max(one.mean, *one.valid, *one.invalid, 0) for one in drawn), default=0)
    marks = [value for panel in figure.panels for _, _, value in _marks(panel, 0)]
    return most * 1.15 if most and max(marks, default=0) > FAR * most else None


def _panel(ax: Axes, panel: Panel, figure: Figure) -> None:
    width = WIDTH / len(panel.series)
    for number, series in enumerate(panel.series):
        shift = (number - (len(panel.series) - 1) / 2) * width
        for place, one in enumerate(series.bars):
            if one is not None:
                _bar(ax, place + shift, width * 0.94, one, series, HATCHES[number % len(HATCHES)])
    for left, right, value in _marks(panel, width):
        ax.plot((left, right), (value, value), color=BLACK, lw=1.2, ls=DASHES, zorder=4)
    ax.set_title(panel.title, fontsize=9)
    groups = panel.groups or figure.groups
    ax.set_xticks(range(len(groups)), groups)
    if _crowded(groups, figure):
        ax.tick_params(axis="x", rotation=90, labelsize=8)
    ax.set_xlabel(figure.x)
    ax.grid(axis="y", lw=0.4, alpha=0.5)
    ax.set_axisbelow(True)


def _crowded(groups: Sequence[str], figure: Figure) -> bool:
    """Return True where the groups' names would run into each other."""
    longest = max((len(line) for group in groups for line in group.split("\n")), default=0)
    return len(groups) * (longest + 1) > 26 * _width(figure) / 2.6


def _width(figure: Figure) -> float:
    """Inches for a panel: what the thesis's five groups of two bars need, and more for more bars."""
    count = len(figure.groups) * max(len(panel.series) for panel in figure.panels)
    if len(figure.panels) == 1:
        return 7.0  # the legend has to fit as well
    return max(2.6, min(0.16 * count, 5.2))


def _marks(panel: Panel, width: float) -> Iterator[tuple[float, float, float]]:
    """Place the published values: left and right end, and height."""
    for place, marked in enumerate(panel.published):
        if isinstance(marked, Sequence):
            left = place - len(panel.series) / 2 * width
            for number, value in enumerate(marked):
                if value is not None:
                    yield left + number * width, left + (number + 1) * width, value
        elif marked is not None:
            yield place - 0.5, place + 0.5, marked


def _bar(ax: Axes, x: float, width: float, one: Bar, series: BarSeries, hatch: str) -> None:
    """A filled bar; a hollow one with a broken outline where no sample counts."""
    (drawn,) = ax.bar(x, one.mean, width, edgecolor="black", linewidth=0.6, hatch=hatch, color=series.colour)
    if one.doubtful:
        drawn.set(facecolor="none", edgecolor=series.colour, linestyle="--")
    if one.sd is not None:
        ax.errorbar(x, one.mean, one.sd, color=BLACK, lw=0.9, capsize=2.5, zorder=3)
    _dots(ax, x, width, one)


def _dots(ax: Axes, x: float, width: float, one: Bar) -> None:
    """Samples side by side, so that none hides another; first those that count."""
    count, split = len(one.valid) + len(one.invalid), len(one.valid)
    step = width * 0.7 / max(count, 2)
    places = [x + (n - (count - 1) / 2) * step for n in range(count)]
    dots: Any = {"s": 7, "facecolor": "white", "edgecolor": BLACK}
    crosses: Any = {"s": 14, "marker": "x", "color": VERMILION}
    for at, values, look in ((places[:split], one.valid, dots), (places[split:], one.invalid, crosses)):
        if values:
            ax.scatter(at, values, linewidths=0.7, zorder=5, **look)


def _legend(figure: Figure) -> tuple[list[Artist], list[str]]:
    """Every series, then what the marks on bars mean, as far as there are such marks."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Artist] = {}
    for number, series in enumerate(figure.panels[0].series):
        hatch = HATCHES[number % len(HATCHES)]
        found[series.label] = Patch(facecolor=series.colour, edgecolor="black", linewidth=0.6, hatch=hatch)
    drawn = _drawn(figure)
    if any(one.valid for one in drawn):
        found["sample"] = Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec=BLACK, mew=0.7)
    if any(one.invalid for one in drawn):
        found["sample that is not valid"] = Line2D([], [], ls="", marker="x", ms=4, mec=VERMILION, mew=0.7)
    if any(one.doubtful for one in drawn):
        found["no valid sample"] = Patch(facecolor="none", edgecolor=GREY, linestyle="--")
    if any(mark for panel in figure.panels for mark in _marks(panel, 0)):
        found[figure.published] = Line2D([], [], color=BLACK, lw=1.2, ls=DASHES)
    return list(found.values()), list(found)
