"""Lines: a band is where an interval is known, and nowhere else."""

from __future__ import annotations

from matplotlib.figure import Figure as Sheet

from lab.report import line_panel
from lab.report.looks import Look
from lab.report.panels import Mean, Panel, PanelSeries


def test_a_band_has_a_gap_where_a_place_has_no_interval() -> None:
    known = [Mean(value, value - 1, value + 1) for value in (5.0, 6.0, 9.0, 9.0)]
    means = [*known[:2], Mean(7.0), *known[2:]]
    panel = Panel("", [PanelSeries("TCP", means)], [1.0, 2.0, 3.0, 4.0, 5.0], "hops", "ms")
    ax = Sheet().subplots()
    line_panel.draw(ax, panel, {"TCP": Look("#000000", "o", "")})
    (band,) = ax.collections
    spans = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in band.get_paths()]
    assert spans == [(1.0, 2.0), (4.0, 5.0)]
