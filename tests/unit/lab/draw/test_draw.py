"""Pictures: nothing lies on anything else, everything is there, and the same bytes come out each time."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from math import hypot

import pytest

from lab import catalog, plugins
from lab.draw import chart, layout, summary
from lab.draw import labels as diagram
from lab.draw.geometry import HEIGHT, WIDTH, Box, Point, distance
from lab.draw.layout import picture
from lab.topology import Topology

SHIPPED = plugins.names("topologies")


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Topology:
    topology: Topology = catalog.topology(request.param)
    return topology


def test_labels_of_shipped_topologies_overlap_neither_each_other_nor_hosts(shipped: Topology) -> None:
    drawn = picture(shipped)
    labels = [drawn.title, *drawn.host_labels, *drawn.link_labels]
    hosts = [Box(x, y, 12, 12) for x, y in drawn.hosts.values()]

    for a, b in combinations(labels, 2):
        assert not a.box.overlap(b.box), (a, b)
    for label in labels:
        assert not any(label.box.overlap(host) for host in hosts), label
        assert not label.box.outside(), label


def test_text_as_matplotlib_sets_it_fits_the_boxes(shipped: Topology) -> None:
    """The boxes are computed from the number of letters; the real extents must lie apart, too."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = chart.figure(shipped)
    renderer = FigureCanvasAgg(figure).get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.axes[0].texts]

    assert len(extents) == len(shipped.hosts) + len(shipped.links) + 1
    for a, b in combinations(extents, 2):
        assert not a.overlaps(b), (a, b)
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in extents)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in extents)


def test_no_link_passes_through_a_host_that_it_does_not_end_at(shipped: Topology) -> None:
    drawn = picture(shipped)
    for link, line in zip(shipped.links, drawn.lines, strict=True):
        for name, place in drawn.hosts.items():
            assert name in (link.a, link.b) or distance(place, line) > 7, (link.name, name)


def test_hosts_stand_where_their_sites_lie() -> None:
    drawn = picture(catalog.topology("full_mesh"))

    assert drawn.hosts["AMS"].x < drawn.hosts["PRG"].x < drawn.hosts["BRA"].x
    assert drawn.hosts["MIL"].y < drawn.hosts["LJU"].y < drawn.hosts["BRA"].y < drawn.hosts["AMS"].y


@pytest.mark.parametrize("count", [2, 4, 6, 7, 12, 40, 100, 140, 400])
def test_hosts_at_one_site_stand_apart_and_inside(count: int) -> None:
    for sites in (["AMS"] * count, ["MAD"] * count + ["CPH"] * count):
        drawn = picture(catalog.topology("linear", sites=sites))
        hosts = list(drawn.hosts.values())
        assert len(set(hosts)) == len(sites)
        if count <= 100:
            at_one_site = combinations(hosts[:count], 2)
            assert all(hypot(a.x - b.x, a.y - b.y) > 2 * drawn.radius for a, b in at_one_site)
        assert all(isinstance(p, Point) and 0 < p.x < WIDTH and 0 < p.y < HEIGHT for p in hosts)


def test_svg_and_png_are_the_same_each_time() -> None:
    star = catalog.topology("star")

    svg = chart.render(star, "svg")
    assert svg == chart.render(star, "svg")
    assert chart.render(star, "png") == chart.render(star, "png")
    for said in ("17.7 ms", "10 Mbit/s", "BRA", "LJU"):
        assert said in svg.decode()


def test_graphviz_and_mermaid() -> None:
    star = catalog.topology("star")

    assert '  "BRA" -- "AMS" [label="17.7 ms\\n10 Mbit/s"];' in diagram.dot(star)
    assert '  h1 -- "17.7 ms<br/>10 Mbit/s" --- h2' in diagram.mermaid(star)
    assert diagram.mermaid(star).startswith("graph LR\n")


def test_the_summary_has_hosts_links_and_expected_round_trips() -> None:
    text = summary.text(catalog.topology("linear"))

    assert text.startswith("linear: Test Weave's hop-routing feature (6 hosts, 5 links, 5 sites)\n")
    assert re.search(
        r"^AMS +\. +21\.75 \(1\) +26\.45 \(2\) +68\.03 \(3\) +120\.60 \(4\) +161\.23 \(5\)$", text, re.M
    )
    assert "192.168.5.5 192.168.5.6" in text


def test_the_summary_of_many_hosts_is_cut_and_of_parts_says_so() -> None:
    assert "and 40 more" in summary.text(catalog.topology("grid", rows=10, columns=10))
    pairs = summary.text(catalog.topology("four_pairs"))
    assert "4 parts" in pairs
    assert "apart" in pairs


def test_many_hosts_are_drawn_without_labels_and_the_title_says_so() -> None:
    drawn = picture(catalog.topology("grid", rows=12, columns=12))

    assert len(drawn.hosts) == 144
    assert not drawn.host_labels
    assert not drawn.link_labels
    assert drawn.title.lines[0].endswith("; more than 120 hosts or links, so without labels")


def test_the_work_for_a_picture_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It once grew with links times hosts times places: minutes for 300 hosts."""
    counts = Counter[str]()

    def counted(name: str) -> None:
        work = getattr(layout, name)
        monkeypatch.setattr(layout, name, lambda *given: (counts.update([name]), work(*given))[1])

    for name in ("distance", "crosses", "bent"):
        counted(name)
    picture(catalog.topology("random", hosts=300))
    assert not counts, "without labels nothing is searched for"

    picture(catalog.topology("full_mesh", sites=["AMS", "MAD"] * 8))
    assert counts["distance"] < 120 * 16 * 7
    assert 0 < counts["crosses"] < 1_000_000


def test_a_picture_has_as_many_parts_for_ten_thousand_links_as_for_two_hundred() -> None:
    """A matplotlib line of its own for each link takes a millisecond to make and to draw."""
    few, many = (chart.figure(catalog.topology("random", hosts=hosts)) for hosts in (50, 300))
    assert len(few.axes[0].get_children()) == len(many.axes[0].get_children())
