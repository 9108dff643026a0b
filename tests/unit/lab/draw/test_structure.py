"""Structure: a chain is a row, a ring a circle, a grid rows and columns, a tree has its root above."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import hypot
from typing import Any

import networkx as nx
import pytest

from lab import catalog
from lab.draw import structure
from lab.draw.geometry import WIDTH, Layout
from lab.draw.layout import picture

#: Structures by a name that says what they are, with hosts called by words as those of topologies are.
GRAPHS: dict[str, nx.Graph[Any]] = {
    "chain": nx.path_graph(6),
    "ring": nx.cycle_graph(7),
    "star": nx.star_graph(5),
    "tree": nx.balanced_tree(2, 3),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 4)),
    "mesh": nx.complete_graph(5),
    "none of these": nx.gnm_random_graph(12, 18, seed=3),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_host_has_a_place_of_its_own(name: str) -> None:
    places = structure.shape(GRAPHS[name]).places
    assert set(places) == set(GRAPHS[name])
    assert all(hypot(a[0] - b[0], a[1] - b[1]) > 0.2 for a, b in combinations(places.values(), 2))


def test_a_chain_is_a_row_in_its_order() -> None:
    # given a chain whose hosts are not in the order of its links
    chain: nx.Graph[Any] = nx.Graph([("c", "a"), ("a", "d"), ("d", "b")])
    places = structure.shape(chain).places
    assert {y for _, y in places.values()} == {0.0}
    assert sorted(places, key=places.__getitem__) in (["c", "a", "d", "b"], ["b", "d", "a", "c"])


def test_a_long_chain_goes_on_in_the_next_row_and_neighbours_stay_neighbours() -> None:
    places = structure.shape(nx.path_graph(20)).places
    assert max(y for _, y in places.values()) == 2
    for a, b in pairwise(range(20)):
        assert abs(places[a][0] - places[b][0]) + abs(places[a][1] - places[b][1]) == 1


def test_a_ring_is_a_circle_in_its_order() -> None:
    places = structure.shape(GRAPHS["ring"]).places
    assert len({round(hypot(*place), 6) for place in places.values()}) == 1
    steps = [hypot(places[a][0] - places[b][0], places[a][1] - places[b][1]) for a, b in GRAPHS["ring"].edges]
    assert max(steps) == pytest.approx(min(steps))


def test_a_star_has_its_hub_in_the_middle() -> None:
    places = structure.shape(GRAPHS["star"]).places
    assert places[0] == (0, 0)
    assert len({round(hypot(*places[leaf]), 6) for leaf in range(1, 6)}) == 1


def test_a_tree_has_its_root_above_and_hosts_above_their_branches() -> None:
    places = structure.shape(GRAPHS["tree"]).places
    assert [places[host][1] for host in (0, 1, 3, 7)] == [0, 1, 2, 3]
    assert places[0][0] == (places[1][0] + places[2][0]) / 2


def test_a_grid_has_rows_and_columns() -> None:
    grid = GRAPHS["grid"]
    places = structure.shape(grid).places
    assert {x for x, _ in places.values()} == {0, 1, 2, 3}
    assert {y for _, y in places.values()} == {0, 1, 2}
    for a, b in grid.edges:
        assert abs(places[a][0] - places[b][0]) + abs(places[a][1] - places[b][1]) == 1


def test_what_only_has_four_corners_is_no_grid() -> None:
    # two triangles joined by a link: four hosts have two links each
    joined: nx.Graph[Any] = nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3)])
    assert len(set(structure.shape(joined).places.values())) == 6


def test_parts_that_do_not_touch_are_below_each_other() -> None:
    drawn = picture(catalog.topology("four_pairs"), Layout.STRUCTURE)
    heights = {host[:-3]: round(place.y) for host, place in drawn.hosts.items()}
    assert sorted(heights.values(), reverse=True) == list(heights.values())
    assert len(set(heights.values())) == 4


def test_a_picture_by_structure_is_in_the_middle_and_no_higher_than_it_needs() -> None:
    drawn = picture(catalog.topology("linear"), Layout.STRUCTURE)
    across = [place.x for place in drawn.hosts.values()]
    assert min(across) + max(across) == pytest.approx(WIDTH)
    assert drawn.bottom > 450
