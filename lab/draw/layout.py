"""Layout of a picture: hosts on the map or by the structure of their links, labels where there is room.

All in points (1/72 inch), from the lower left corner. Nothing here draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import cos, hypot, pi, radians, sin, sqrt
from typing import NamedTuple

import networkx as nx

from lab.draw import structure
from lab.draw.geometry import HEIGHT, WIDTH, Box, Layout, Line, Point, along, bent, crosses, distance
from lab.draw.labels import host_label, link_label
from lab.topology import HostSpec, Topology

MARGIN = 64.0
#: From a host to the next at most, by structure, in a row and in a round shape; and at least, upwards, where
#: a shape may be stretched.
STEP, ROUND_STEP, UP = 190.0, 230.0, 90.0
#: Above the map, for the title.
TOP = 28.0
#: 9 points where the picture is 7 inches wide.
HOST_FONT, LINK_FONT = 15.5, 15.5
RADIUS, THICKNESS = 7.0, 1.6
#: Of the font's size; a bold sans is a little wider than this for capitals only.
CHARACTER, LINE = 0.68, 1.3
#: Below everything.
EDGE = 10.0
#: Between hosts at one site.
APART = 48.0
#: A link keeps this far from hosts that it does not end at; it bends where it would not.
CLEAR = RADIUS + 5.0
#: Hosts, and links, up to which there are labels; beyond, nobody could read them.
MOST = 120


class Label(NamedTuple):
    """Lines of text in a box."""

    lines: tuple[str, ...]
    box: Box
    font: float


class Picture(NamedTuple):
    """All that is drawn: hosts by name, and a line per link."""

    title: Label
    radius: float
    thickness: float
    hosts: dict[str, Point]
    lines: list[Line]
    host_labels: list[Label]
    link_labels: list[Label]

    @property
    def bottom(self) -> float:
        """The lowest place that anything takes, less a margin."""
        boxes = [label.box for label in (self.title, *self.host_labels, *self.link_labels)]
        low = [box.y - box.height / 2 for box in boxes]
        low += [point.y - self.radius for point in self.hosts.values()]
        return min(low) - EDGE


def picture(topology: Topology, layout: Layout | None = None) -> Picture:
    """Lay out the hosts, links and labels of a topology; by structure where not all places are known."""
    hosts = places(topology, layout)
    if _is_crowd(topology):
        return _crowd(topology, hosts)
    lines = [_line(hosts, link.a, link.b) for link in topology.links]
    title = _title(topology)
    taken = [title.box, *(Box(x, y, 2 * RADIUS + 2, 2 * RADIUS + 2) for x, y in hosts.values())]
    host_labels = [_host_label(topology, name, point, taken, lines) for name, point in hosts.items()]
    link_labels = [
        _link_label(tuple(link_label(link)), line, taken, lines)
        for link, line in zip(topology.links, lines, strict=True)
    ]
    return Picture(title, RADIUS, THICKNESS, hosts, lines, host_labels, link_labels)


def places(topology: Topology, layout: Layout | None = None) -> dict[str, Point]:
    """Return each host's place, in points from the lower left corner; as `picture` does."""
    if layout == Layout.STRUCTURE or not has_map(topology):
        return _by_structure(topology)
    return _spread(topology, _around if _is_crowd(topology) else _beside)


def has_map(topology: Topology) -> bool:
    """Return True where the places of all hosts are known."""
    return all(host.site for host in topology.hosts)


def _is_crowd(topology: Topology) -> bool:
    return len(topology.links) > MOST or len(topology.hosts) > MOST


def _crowd(topology: Topology, hosts: dict[str, Point]) -> Picture:
    """Small hosts, thin straight lines and no labels: work that grows with what there is, no faster."""
    lines: list[Line] = [(hosts[link.a], hosts[link.b]) for link in topology.links]
    title = _title(topology, f"; more than {MOST} hosts or links, so without labels")
    return Picture(title, RADIUS / 3, THICKNESS / 5, hosts, lines, [], [])


def _title(topology: Topology, more: str = "") -> Label:
    name = topology.name if len(topology.name) <= 60 else topology.name[:59] + "…"
    words = f"{name}: {len(topology.hosts)} hosts, {len(topology.links)} links{more}"
    width, height = _size([words], HOST_FONT)
    return Label((words,), Box(width / 2 + 12, HEIGHT - height / 2 - 6, width, height), HOST_FONT)


def _on_map(topology: Topology) -> dict[str, Point]:
    """Each site's place: equirectangular, true at the middle latitude, as large as fits."""
    found = topology.sites
    middle = (min(s.latitude for s in found.values()) + max(s.latitude for s in found.values())) / 2
    flat = {name: (s.longitude * cos(radians(middle)), s.latitude) for name, s in found.items()}
    left, right = min(x for x, _ in flat.values()), max(x for x, _ in flat.values())
    low, high = min(y for _, y in flat.values()), max(y for _, y in flat.values())
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - TOP
    scale = min(wide / (right - left) if right > left else 1e9, tall / (high - low) if high > low else 1e9)
    scale = 1.0 if scale == 1e9 else scale
    centre = ((left + right) / 2, (low + high) / 2)
    return {
        name: Point(WIDTH / 2 + (x - centre[0]) * scale, (HEIGHT - TOP) / 2 + (y - centre[1]) * scale)
        for name, (x, y) in flat.items()
    }


def _spread(topology: Topology, place: Callable[[Point, int, int], Point]) -> dict[str, Point]:
    """Draw the hosts of one site around its place."""
    sites = _on_map(topology)
    at_site = defaultdict(list)
    for host in topology.hosts:
        at_site[host.site].append(host.name)
    found: dict[str, Point] = {}
    for site, names in at_site.items():
        for n, name in enumerate(names):
            found[name] = place(sites[site], n, len(names))
    return {host.name: found[host.name] for host in topology.hosts}


def _by_structure(topology: Topology) -> dict[str, Point]:
    """Parts that do not touch are below each other, each as large as fits."""
    graph = topology.graph
    order = {host.name: host.number for host in topology.hosts}
    parts = (sorted(part, key=order.__getitem__) for part in nx.connected_components(graph))
    shapes = []
    for names in sorted(parts, key=lambda part: order[part[0]]):
        part: nx.Graph[str] = nx.Graph()
        part.add_nodes_from(names)
        part.add_edges_from((link.a, link.b) for link in topology.links if link.a in part)
        shapes.append(structure.shape(part))
    return {host.name: point for host, point in _scaled(topology, shapes)}


def _scaled(topology: Topology, shapes: list[structure.Outline]) -> Iterator[tuple[HostSpec, Point]]:
    """Place shapes below the title: steps are as long as fits, and not longer than `STEP`."""
    spans = [_span(shape) for shape in shapes]
    wide = max(right - left for left, right, _, _ in spans)
    high = sum(low - top for _, _, top, low in spans) + len(shapes) - 1
    room = (WIDTH - 2 * MARGIN, HEIGHT - TOP - 2 * MARGIN)
    is_round = any(shape.round for shape in shapes)
    most = ROUND_STEP if is_round else STEP
    step = min(most, room[0] / wide if wide else most, room[1] / high if high else most)
    up = step if is_round else min(max(step, UP), room[1] / high if high else UP)
    found: dict[str, Point] = {}
    above = HEIGHT - TOP - MARGIN
    for shape, (left, right, top, low) in zip(shapes, spans, strict=True):
        for name, (x, y) in shape.places.items():
            found[name] = Point(WIDTH / 2 + (x - (left + right) / 2) * step, above - (y - top) * up)
        above -= (low - top + 1) * up
    return ((host, found[host.name]) for host in topology.hosts)


def _span(shape: structure.Outline) -> tuple[float, float, float, float]:
    """Return the minimum and maximum of x and y."""
    across, down = zip(*shape.places.values(), strict=True)
    return min(across), max(across), min(down), max(down)


def _beside(site: Point, n: int, count: int) -> Point:
    """In a column, or on a circle when they are many."""
    if count <= 6:
        half = APART * (count - 1) / 2
        return Point(site.x, _within(site, 0, half).y + half - APART * n)
    radius = min(APART * count / (2 * pi), (HEIGHT - TOP - MARGIN) / 2)
    return _round(_within(site, radius, radius), radius, 2 * pi * n / count)


def _around(site: Point, n: int, count: int) -> Point:
    """In a spiral that fills a disc evenly (Vogel, Mathematical Biosciences 44, 1979)."""
    radius = min(1.2 * RADIUS * sqrt(count - 1), APART)
    return _round(_within(site, radius, radius), radius * sqrt(n / max(1, count - 1)), n * pi * (3 - sqrt(5)))


def _round(middle: Point, radius: float, angle: float) -> Point:
    return Point(middle.x + radius * cos(angle), middle.y + radius * sin(angle))


def _within(middle: Point, wide: float, high: float) -> Point:
    """A middle from which this half width and height stay in the picture."""
    x = min(max(middle.x, wide + MARGIN / 2), WIDTH - wide - MARGIN / 2)
    y = min(max(middle.y, high + MARGIN / 2), HEIGHT - TOP - high - MARGIN / 2)
    return Point(x, y)


def _line(hosts: dict[str, Point], a: str, b: str) -> Line:
    """A straight line, or the least bent one that keeps clear of all other hosts."""
    others = [point for name, point in hosts.items() if name not in (a, b)]
    for part in (0.0, 0.12, -0.12, 0.2, -0.2, 0.3, -0.3):
        line = bent(hosts[a], hosts[b], part)
        if all(distance(point, line) > CLEAR for point in others):
            return line
    return bent(hosts[a], hosts[b], 0.0)


def _size(lines: Iterable[str], font: float) -> tuple[float, float]:
    lines = list(lines)
    return max(map(len, lines)) * font * CHARACTER + 4, len(lines) * font * LINE + 3


def _host_label(topology: Topology, name: str, at: Point, taken: list[Box], lines: list[Line]) -> Label:
    words = tuple(host_label(topology, name))
    width, height = _size(words, HOST_FONT)
    places = [
        Box(at.x + x * (width / 2 + RADIUS + far), at.y + y * (height / 2 + RADIUS + far), width, height)
        for far in (2, 10, 20)
        for x, y in ((0, 1), (0, -1), (1, 0), (-1, 0), (0.7, 0.8), (-0.7, 0.8), (0.7, -0.8), (-0.7, -0.8))
    ]
    return Label(words, _best(places, taken, lines), HOST_FONT)


def _link_label(words: tuple[str, ...], line: Line, taken: list[Box], lines: list[Line]) -> Label:
    width, height = _size(words, LINK_FONT)
    return Label(words, _best(list(_along(line, width, height)), taken, lines, line), LINK_FONT)


def _along(line: Line, width: float, height: float) -> Iterator[Box]:
    """Places for a link's label: on the line first, from its middle outwards, then beside it."""
    (ax, ay), (bx, by) = line[0], line[-1]
    length = hypot(bx - ax, by - ay) or 1.0
    across = (-(by - ay) / length, (bx - ax) / length)
    for side in (0.0, 14.0, -14.0, 28.0, -28.0, 44.0, -44.0, 60.0, -60.0):
        for part in (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75, 0.2, 0.8):
            x, y = along(line, part)
            yield Box(x + across[0] * side, y + across[1] * side, width, height)


def _best(places: list[Box], taken: list[Box], lines: list[Line], own: Line | None = None) -> Box:
    """The first place that costs least; it is taken from then on."""
    others = [line for line in lines if line is not own]
    stray = 1 if own is None else 5  # a link's label that leaves its line seems to belong to another
    least, best = float("inf"), places[0]
    for rank, box in enumerate(places):
        if stray * rank >= least:
            break
        covered = sum(box.overlap(other) for other in taken)
        cost = stray * rank + 1000 * (covered > 0) + covered + 500 * box.outside()
        if cost < least:
            cost += 60 * sum(crosses(box, line) for line in others)
        if cost < least:
            least, best = cost, box
    taken.append(best)
    return best
