"""A topology as a picture: SVG or PNG, drawn by matplotlib where `lab.draw.layout` says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from lab.draw.geometry import HEIGHT, WIDTH, Layout
from lab.draw.layout import Label, picture
from lab.topology import Topology
from lab.util.documents import legal_xml

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, LINE, PAPER = "#1d3557", "#457b9d", "white"


def figure(topology: Topology, layout: Layout | None = None) -> Figure:
    """Draw the picture, one unit of its axes being one point; it ends below what is drawn."""
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    drawn = picture(topology, layout)
    made = Figure(figsize=(WIDTH / 72, (HEIGHT - drawn.bottom) / 72), facecolor=PAPER)
    axes = made.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(drawn.bottom, HEIGHT))
    axes.set_axis_off()
    axes.add_collection(LineCollection(drawn.lines, colors=LINE, linewidths=drawn.thickness, zorder=1))
    for label in drawn.link_labels:
        _write(axes, label, "#333333", "normal", 2)
    across, up = zip(*drawn.hosts.values(), strict=True)
    axes.scatter(across, up, s=(2 * drawn.radius) ** 2 * 0.8, color=INK, zorder=3)
    for label in drawn.host_labels:
        _write(axes, label, INK, "bold", 4)
    _write(axes, drawn.title, "#333333", "normal", 4, "left")
    return made


def _write(
    axes: Axes,
    label: Label,
    colour: str,
    weight: str,
    above: int,
    align: Literal["left", "center"] = "center",
) -> None:
    axes.text(
        label.box.x if align == "center" else label.box.x - label.box.width / 2,
        label.box.y,
        "\n".join(label.lines),
        fontsize=label.font,
        color=colour,
        fontweight=weight,
        ha=align,
        va="center",
        linespacing=1.1,
        zorder=above,
        parse_math=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
    )


def render(topology: Topology, form: str, layout: Layout | None = None) -> bytes:
    """Render the picture as ``svg`` or ``png``; the same topology always gives the same bytes."""
    import matplotlib

    held = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lab", "svg.fonttype": "none"}):
        figure(topology, layout).savefig(
            held, format=form, dpi=120, metadata={"Date": None} if form == "svg" else {}
        )
    return legal_xml(held.getvalue()) if form == "svg" else held.getvalue()
