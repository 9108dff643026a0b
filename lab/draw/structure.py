"""Places of hosts by the structure of their links: a row for a chain, a circle for a ring, and so on.

Coordinates are in steps, one from a host to the next: x to the right, y downwards. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi, sin
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

import networkx as nx

Graph: TypeAlias = "nx.Graph[Any]"
Place = tuple[float, float]
#: Hosts in a row of a chain; a longer one goes on in the next row, backwards.
ROW = 8
#: Hosts of a graph of no known structure, up to which the distances in hops decide; more are on a circle.
FEW = 150


class Outline(NamedTuple):
    """Places of hosts by name; a `round` shape keeps its proportions."""

    places: Mapping[str, Place]
    round: bool = False


def shape(part: Graph) -> Outline:
    """Return the places of the hosts of a graph that is connected, by what its structure is."""
    for find in (_chain, _ring, _star, _tree, _grid):
        if found := find(part):
            return found
    return _other(part)


def _chain(part: Graph) -> Outline | None:
    ends = [host for host in part if part.degree(host) < 2]
    if not ends or max(degree for _, degree in part.degree) > 2:
        return None
    hosts = list(nx.dfs_preorder_nodes(part, ends[0]))
    rows = [hosts[n : n + ROW] for n in range(0, len(hosts), ROW)]
    return Outline(
        {
            host: (float(column if number % 2 == 0 else ROW - 1 - column), float(number))
            for number, row in enumerate(rows)
            for column, host in enumerate(row)
        }
    )


def _ring(part: Graph) -> Outline | None:
    if any(degree != 2 for _, degree in part.degree):
        return None
    return Outline(_circle(list(nx.dfs_preorder_nodes(part, next(iter(part))))), round=True)


def _circle(hosts: Sequence[str]) -> dict[str, Place]:
    """Clockwise from the top, a step from each to the next."""
    radius = max(len(hosts) / (2 * pi), 0.8)
    angles = (2 * pi * number / len(hosts) for number in range(len(hosts)))
    return {
        host: (radius * sin(angle), -radius * cos(angle)) for host, angle in zip(hosts, angles, strict=True)
    }


def _star(part: Graph) -> Outline | None:
    count = part.number_of_nodes()
    hub = next((host for host, degree in part.degree if degree == count - 1), None)
    if hub is None or part.number_of_edges() != count - 1:
        return None
    return Outline({hub: (0.0, 0.0), **_circle([host for host in part if host != hub])}, round=True)


def _tree(part: Graph) -> Outline | None:
    """The root above; each host above the middle of its branches."""
    if not nx.is_tree(part):
        return None
    first = next(iter(part))
    root = first if part.degree(first) > 1 else nx.center(part)[0]
    depth = nx.single_source_shortest_path_length(part, root)
    across: dict[str, float] = {}
    leaves = 0
    for host in nx.dfs_postorder_nodes(part, root):
        below = [across[other] for other in part[host] if depth[other] > depth[host]]
        across[host] = (below[0] + below[-1]) / 2 if below else float(leaves)
        leaves += not below
    return Outline({host: (across[host], float(depth[host])) for host in part})


def _grid(part: Graph) -> Outline | None:
    """Rows and columns, found by the hops from two neighbouring corners."""
    corners = [host for host, degree in part.degree if degree == 2]
    if len(corners) != 4:
        return None
    hops = nx.single_source_shortest_path_length(part, corners[0])
    # the opposite corner is the farthest; of the other two, the one with the lower number ends the first row
    beside = next(host for host in corners[1:] if hops[host] < max(hops[c] for c in corners))
    columns, other = hops[beside], nx.single_source_shortest_path_length(part, beside)
    rows = {host: (hops[host] + other[host] - columns) / 2 for host in part}
    places = {host: (hops[host] - rows[host], rows[host]) for host in part}
    steps = (abs(places[a][0] - places[b][0]) + abs(places[a][1] - places[b][1]) for a, b in part.edges)
    whole = len(set(places.values())) == len(part) and all(step == 1 for step in steps)
    return Outline(places) if whole else None


def _other(part: Graph) -> Outline:
    """By the distances in hops (Kamada and Kawai, 1989); a full mesh, or very many hosts, on a circle."""
    count = part.number_of_nodes()
    if count > FEW or part.number_of_edges() == count * (count - 1) / 2:
        return Outline(_circle(list(part)), round=True)
    found = nx.kamada_kawai_layout(part, weight=None)
    lengths = [float(((found[a] - found[b]) ** 2).sum()) ** 0.5 for a, b in part.edges]
    step = fmean(lengths) or 1.0
    return Outline({host: (float(x) / step, -float(y) / step) for host, (x, y) in found.items()}, round=True)
