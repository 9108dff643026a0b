"""Bars: where published marks lie, and how high the scale is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.report import bar_chart


def test_marks_lie_over_their_own_bars() -> None:
    series = [bar_chart.BarSeries("a", "", []), bar_chart.BarSeries("b", "", [])]
    panel = bar_chart.Panel("", series, [[1.0, None], [None, 2.0], 3.0])
    assert list(bar_chart._marks(panel, 0.4)) == [(-0.4, 0.0, 1.0), (1.0, 1.4, 2.0), (1.5, 2.5, 3.0)]


@pytest.mark.parametrize(("mark", "top"), [(200.0, None), (400.0, 115.0)])
def test_marks_far_above_do_not_make_bars_vanish(mark: float, top: float | None, tmp_path: Path) -> None:
    series = [bar_chart.BarSeries("TCP", bar_chart.BLUE, [bar_chart.Bar(100.0, 1.0, [100.0])])]
    figure = bar_chart.Figure("t", "c", ["x"], "x", "y", [bar_chart.Panel("p", series, [mark])])
    svg = bar_chart.draw(figure, tmp_path / "f")[0].read_text()
    assert ("beyond the scale" in svg) == (top is not None)
    assert bar_chart._top(figure) == (pytest.approx(top) if top else None)
