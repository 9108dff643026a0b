"""Layout: nothing lies on anything else, everything is there, and the work is bounded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from math import hypot

import pytest

from lab import catalog, plugins
from lab.draw import layout
from lab.draw.geometry import HEIGHT, WIDTH, Box, Layout, Point, distance
from lab.draw.layout import has_map, picture, places
from lab.topology import Topology

SHIPPED = plugins.names("topologies")


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Topology:
    topology: Topology = catalog.topology(request.param)
    return topology


@pytest.mark.parametrize("layout", list(Layout))
def test_labels_of_shipped_topologies_overlap_neither_each_other_nor_hosts(
    shipped: Topology, layout: Layout
) -> None:
    drawn = picture(shipped, layout)
    labels = [drawn.title, *drawn.host_labels, *drawn.link_labels]
    hosts = [Box(x, y, 12, 12) for x, y in drawn.hosts.values()]

    for a, b in combinations(labels, 2):
        assert not a.box.overlap(b.box), (a, b)
    for label in labels:
        assert not any(label.box.overlap(host) for host in hosts), label
        assert not label.box.outside(), label


@pytest.mark.parametrize("layout", list(Layout))
def test_no_link_passes_through_a_host_that_it_does_not_end_at(shipped: Topology, layout: Layout) -> None:
    drawn = picture(shipped, layout)
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


def test_without_a_word_hosts_are_on_the_map_and_by_structure_where_a_place_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = catalog.topology("ring")
    assert picture(ring) == picture(ring, Layout.MAP)
    hosts = tuple(replace(host, site="") for host in ring.hosts)
    monkeypatch.setitem(vars(ring), "hosts", hosts)
    monkeypatch.setattr(layout, "host_label", lambda topology, name: [name])
    assert picture(ring).hosts == picture(ring, Layout.STRUCTURE).hosts


@pytest.mark.parametrize("wanted", list(Layout))
def test_places_are_those_of_the_picture(shipped: Topology, wanted: Layout) -> None:
    assert has_map(shipped)
    assert places(shipped, wanted) == picture(shipped, wanted).hosts


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
    assert 0 < counts["crosses"] < 1_500_000
