"""Figures as files: SVG, PDF and PNG, and the caption as text.

`paper.mplstyle` has the style of all of them: two panels a row at most, 7 inches wide. The conditions of a
run are in the caption and in the metadata of each file, and not in the picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import RunError
from lab.report import bar_panel, line_panel
from lab.report.looks import legend, looks
from lab.report.panels import Figure, Panel
from lab.util.documents import legal_xml
from lab.util.files import make_folder, replace

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

STYLE = Path(__file__).with_name("paper.mplstyle")
FORMS = ("svg", "pdf", "png")
#: Inches, and panels in a row.
WIDTH, COLUMNS = 7.0, 2
#: Inches of a row of lines, where there are few rows and where there are many; and of their axis.
LINES, MANY_LINES, AXIS = 1.75, 1.3, 0.35
#: Inches of a bar, of a group's margin, and of a row of the legend; of a character of the legend, and of what
#: is beside the words.
BAR, MARGIN, LEGEND, CHARACTER, HANDLE = 0.115, 0.09, 0.19, 0.078, 0.5

#: From this value on, the numbers along an axis are so long that only few fit side by side.
LONG_NUMBERS = 10_000


@contextmanager
def canvas(
    path: Path, shape: tuple[int, int], height: float, caption: Sequence[str], **options: Any
) -> Iterator[tuple[Sheet, list[Axes], list[Path]]]:
    """Give a sheet with axes in (rows, columns); then write it in all forms, and its caption.

    The first line of the caption is the title.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure as Sheet

    if path.parent.is_symlink():
        raise RunError(f"{path.parent} is a link, through which the lab does not write; remove it")
    make_folder(path.parent)
    files = [path.with_suffix(f".{form}") for form in FORMS]
    # the style and matplotlib's own defaults: what a user has set for others does not change a figure
    with mpl.rc_context(fname=STYLE):
        sheet = Sheet(figsize=(WIDTH, height))
        axes = sheet.subplots(*shape, squeeze=False, **options)
        yield sheet, list(axes.flat), files
        sheet.draw_without_rendering()
        sheet.set_layout_engine("none")  # else each form takes the time for the layout again
        for file, form in zip(files, FORMS, strict=True):
            replace(file, _saved(sheet, form, caption))
    files.append(path.with_suffix(".txt"))
    replace(files[-1], "\n".join(caption) + "\n")


def _saved(sheet: Sheet, form: str, caption: Sequence[str]) -> bytes:
    """Return the file; the same figure gives the same bytes."""
    held = io.BytesIO()
    title, words = caption[0], " ".join(caption[1:])
    known: dict[str, dict[str, Any]] = {
        "svg": {"Title": title, "Description": words, "Date": None},
        "pdf": {"Title": title, "Subject": words, "CreationDate": None},
        "png": {"Title": title, "Description": words},
    }
    sheet.savefig(held, format=form, metadata=known[form])
    return legal_xml(held.getvalue()) if form == "svg" else held.getvalue()


def draw(figure: Figure, path: Path) -> list[Path]:
    """Write ``path.svg``, ``path.pdf``, ``path.png`` and the caption ``path.txt``; return them."""
    panels = figure.panels
    columns = min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    height = sum(_height(panels[n * columns : (n + 1) * columns], rows) for n in range(rows)) + AXIS
    # bars that share their places have the names of these once
    same = not panels[0].lines and len({tuple(panel.places) for panel in panels}) == 1
    of_lines = all(panel.lines for panel in panels) and len({panel.y for panel in panels}) == 1
    with canvas(
        path, (rows, columns), height + _legend_height(figure, rows * columns), caption(figure),
        sharey=same or of_lines,
    ) as (sheet, axes, files):  # fmt: skip
        known = looks(figure)
        for number, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
            ax.set_title(panel.title)
            (line_panel if panel.lines else bar_panel).draw(ax, panel, known)
            _scale(ax, panel, figure)
            # a row has names of its places where the row below is not full
            _labels(ax, panel, panels, bottom=(number // columns + 2) * columns > len(panels))
        _common_labels(sheet, panels)
        _legend(sheet, axes[len(panels) :], legend(figure, known))
    return files


def _height(row: Sequence[Panel], rows: int) -> float:
    """Inches of a row of panels."""
    lines = LINES if rows < 4 else MANY_LINES
    if len(row) == 1 and rows == 1:
        lines = 2.4
    bars = [
        MARGIN * len(p.places) + BAR * len(p.series) * (p.rows[-1] - p.rows[0] + 1) + AXIS
        for p in row
        if not p.lines
    ]
    return max([*bars, *(lines for p in row if p.lines)])


def _scale(ax: Axes, panel: Panel, figure: Figure) -> None:
    """Set the scale of the values; it holds means and samples, and cuts off a band that is far wider."""
    if panel.log:
        from matplotlib.ticker import LogFormatter

        (ax.set_yscale if panel.lines else ax.set_xscale)("log")
        for axis in (ax.xaxis, ax.yaxis) if panel.lines else (ax.xaxis,):
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
            axis.set_minor_formatter(LogFormatter(labelOnlyBase=False))  # of less than a decade
        return
    scale = figure.scale(panel.y)
    (ax.set_ylim if panel.lines else ax.set_xlim)(scale.bottom, scale.top or 1.0)
    if not panel.lines and scale.top >= LONG_NUMBERS:
        ax.locator_params(axis="x", nbins=4)


def _labels(ax: Axes, panel: Panel, panels: Sequence[Panel], bottom: bool) -> None:
    """Name axes that not all panels have; ticks are below the lowest panels, or where they differ."""
    across, up = (panel.x, panel.y) if panel.lines else (panel.y, panel.x)
    if len({p.x if p.lines else p.y for p in panels}) > 1:
        ax.set_xlabel(across)
    if len({p.y if p.lines else p.x for p in panels}) > 1:
        ax.set_ylabel(up)
    alike = len({(tuple(p.ticks), tuple(p.places) if p.lines else (), p.y) for p in panels}) == 1
    ax.tick_params(axis="x", labelbottom=bottom or not alike)


def _common_labels(sheet: Sheet, panels: Sequence[Panel]) -> None:
    across = {panel.x if panel.lines else panel.y for panel in panels}
    up = {panel.y if panel.lines else panel.x for panel in panels}
    if len(across) == 1:
        sheet.supxlabel(across.pop())
    if len(up) == 1:
        sheet.supylabel(up.pop())


def _legend_columns(labels: Sequence[str]) -> int:
    """Return the columns of a legend that is not wider than the figure, with few rows, all of them full."""

    def width(columns: int) -> float:
        rows = ceil(len(labels) / columns)
        parts = [labels[n : n + rows] for n in range(0, len(labels), rows)]
        return sum(HANDLE + CHARACTER * max(map(len, part)) for part in parts)

    most = next((n for n in range(len(labels), 1, -1) if width(n) <= WIDTH), 1)
    fewest = ceil(len(labels) / ceil(len(labels) / most))
    return next(n for n in range(fewest, most + 1) if width(n) <= WIDTH)


def _legend_height(figure: Figure, cells: int) -> float:
    """Inches that a legend above the panels takes; none where a cell is vacant for it."""
    if cells > len(figure.panels):
        return 0.0
    labels = list(legend(figure, looks(figure)))
    return LEGEND * ceil(len(labels) / _legend_columns(labels)) + 0.05


def _legend(sheet: Sheet, vacant: Sequence[Axes], entries: Mapping[str, Artist]) -> None:
    """Put the legend where there is no panel, else above all of them."""
    handles, labels = list(entries.values()), list(entries)
    for ax in vacant:
        ax.set_axis_off()
    if vacant:
        vacant[0].legend(handles, labels, loc="center left")
    else:
        sheet.legend(handles, labels, loc="outside upper left", ncols=_legend_columns(labels))


def caption(figure: Figure) -> list[str]:
    """Return the title, what the marks mean, and the conditions: a line each."""
    means = [one for panel in figure.panels for one in panel.means]
    lines = any(panel.lines for panel in figure.panels)
    words = []
    if any(one.low is not None for one in means):
        what = "A band" if lines else "A line across the end of a bar, or through a mark,"
        words.append(f"{what} is the 95 % interval of the mean, from the means of bring-ups.")
    if any(one.low is None and not one.doubtful and one.valid for one in means):
        words.append("A mean without one has too few bring-ups that count.")
    if any(one.valid or one.invalid for one in means):
        words.append("Dots are samples; crosses are samples that do not count.")
    if any(one.doubtful for one in means):
        words.append("Hollow: no sample counts.")
    if figure.shows("limits"):
        words.append(figure.limit_means)
    scales = {panel.y: figure.scale(panel.y) for panel in figure.panels if not panel.log}
    beyond = [sentence for scale in scales.values() for sentence in scale.beyond]
    return [figure.title, *words, *dict.fromkeys(beyond), f"Conditions: {figure.conditions}."]
