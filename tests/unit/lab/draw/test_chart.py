"""Drawings: text fits its boxes, and the same bytes come out each time."""

from __future__ import annotations

from itertools import combinations

import pytest

from lab import catalog, plugins
from lab.draw import chart
from lab.draw.geometry import Layout
from lab.topology import Topology

SHIPPED = plugins.names("topologies")


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Topology:
    topology: Topology = catalog.topology(request.param)
    return topology


@pytest.mark.parametrize("layout", list(Layout))
def test_text_as_matplotlib_sets_it_fits_the_boxes(shipped: Topology, layout: Layout) -> None:
    """The boxes are computed from the number of letters; the real extents must lie apart, too."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = chart.figure(shipped, layout)
    renderer = FigureCanvasAgg(figure).get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.axes[0].texts]

    assert len(extents) == len(shipped.hosts) + len(shipped.links) + 1
    for a, b in combinations(extents, 2):
        assert not a.overlaps(b), (a, b)
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in extents)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in extents)


def test_svg_and_png_are_the_same_each_time() -> None:
    star = catalog.topology("star")

    svg = chart.render(star, "svg")
    assert svg == chart.render(star, "svg")
    assert chart.render(star, "png") == chart.render(star, "png")
    for said in ("17.7 ms", "10 Mbit/s", "BRA", "LJU"):
        assert said in svg.decode()


def test_a_picture_has_as_many_parts_for_ten_thousand_links_as_for_two_hundred() -> None:
    """A matplotlib line of its own for each link takes a millisecond to make and to draw."""
    few, many = (chart.figure(catalog.topology("random", hosts=hosts)) for hosts in (50, 300))
    assert len(few.axes[0].get_children()) == len(many.axes[0].get_children())
