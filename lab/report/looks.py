"""Colours, markers and hatches of series, and the legend that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lab.report.panels import Figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist

BLACK, GREY = "#000000", "#666666"
DASHES = (0, (4, 2))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: Of lines alone: dots take a quarter of a megabyte of an SVG.
HATCHES = ("", "////", "\\\\\\\\", "xxxx", "----", "++++", "||||", "//")
#: The limit of a link, or what was asked; and what a study published.
LIMIT: Any = {"ls": DASHES, "lw": 1.0, "color": GREY, "zorder": 2.5}
PUBLISHED: Any = {"ls": "", "marker": "D", "ms": 4, "mfc": "none", "mec": BLACK, "mew": 0.9, "zorder": 6}
DOT: Any = {"s": 6, "facecolor": "white", "linewidths": 0.6, "zorder": 5}
CROSS: Any = {"marker": "x", "s": 9, "linewidths": 0.8, "zorder": 5}
ACROSS: Any = {"color": BLACK, "lw": 2.0, "solid_capstyle": "butt", "zorder": 6}
NOT_VALID, NONE_VALID = "sample that is not valid", "no valid sample"


class Look(NamedTuple):
    """The marks of a series; each of the three tells it from others."""

    colour: str
    marker: str
    hatch: str


def looks(figure: Figure) -> Mapping[str, Look]:
    """Return a look for each series of a figure, by label; the colours are those of the style in use."""
    import matplotlib as mpl

    colours = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    labels = dict.fromkeys(series.label for panel in figure.panels for series in panel.series)
    return {
        label: Look(colours[n % len(colours)], MARKERS[n % len(MARKERS)], HATCHES[n % len(HATCHES)])
        for n, label in enumerate(labels)
    }


def legend(figure: Figure, known: Mapping[str, Look]) -> Mapping[str, Artist]:
    """Return the legend: every series, then the meaning of the drawn marks."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Artist] = {}
    as_lines = all(panel.lines or panel.log for panel in figure.panels)
    for label, look in known.items():
        if as_lines:
            line = "-" if figure.panels[0].lines else ""
            found[label] = Line2D([], [], color=look.colour, marker=look.marker, ls=line)
        else:
            found[label] = Patch(facecolor=look.colour, edgecolor=BLACK, lw=0.6, hatch=look.hatch)
    means = [one for panel in figure.panels for one in panel.means]
    if any(one.valid for one in means):
        found["sample"] = Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec=BLACK, mew=0.7)
    if any(one.invalid for one in means):
        found[NOT_VALID] = Line2D([], [], ls="", marker="x", ms=4, mec=BLACK, mew=0.9)
    if any(one.doubtful for one in means):
        hollow = Line2D([], [], ls="", marker="o", ms=4.5, mfc="white", mec=GREY)
        found[NONE_VALID] = hollow if as_lines else Patch(facecolor="none", edgecolor=GREY, linestyle="--")
    kinds: tuple[tuple[Literal["published", "limits"], str], ...] = (
        ("published", figure.published),
        ("limits", figure.limit),
    )
    for name, label in kinds:
        if figure.shows(name):
            published = Line2D([], [], **PUBLISHED) if figure.panels[0].lines else Line2D([], [], **ACROSS)
            found[label] = published if name == "published" else Line2D([], [], **LIMIT)
    return found
