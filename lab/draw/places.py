"""Where everything stands in a picture: hosts at their geographic places, labels where there is room.

All in points (1/72 inch), from the lower left corner. Nothing here draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import cos, hypot, pi, radians, sin
from typing import NamedTuple

from lab.draw.diagram import host_label, link_label
from lab.topology import Topology

WIDTH, HEIGHT, MARGIN = 864.0, 648.0, 64.0
HOST_FONT, LINK_FONT = 11.0, 9.0
RADIUS = 7.0
#: Of the font's size; a bold sans is a little wider than this for capitals only.
CHARACTER, LINE = 0.68, 1.3
#: Between hosts at one site.
APART = 48.0
#: A link keeps this far from hosts that it does not end at; it bends where it would not.
CLEAR = RADIUS + 5.0
#: Straight pieces of a bent link.
PIECES = 24


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


Line = tuple[Point, ...]


class Box(NamedTuple):
    """A rectangle around a centre."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """The area that two boxes share, in square points."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return wide * high if wide > 0 and high > 0 else 0.0

    def outside(self) -> float:
        """How far it lies beyond the picture."""
        return max(
            0.0,
            self.width / 2 - self.x,
            self.x + self.width / 2 - WIDTH,
            self.height / 2 - self.y,
            self.y + self.height / 2 - HEIGHT,
        )


class Label(NamedTuple):
    """Lines of text in a box."""

    lines: tuple[str, ...]
    box: Box
    font: float


class Picture(NamedTuple):
    """All that is drawn: hosts by name, and a line per link."""

    title: Label
    hosts: dict[str, Point]
    lines: list[Line]
    host_labels: list[Label]
    link_labels: list[Label]


def picture(topology: Topology) -> Picture:
    """Places for the hosts, links and labels of a topology."""
    hosts = _spread(topology, _on_map(topology))
    lines = [_line(hosts, link.a, link.b) for link in topology.links]
    title = _title(topology)
    taken = [title.box, *(Box(x, y, 2 * RADIUS + 2, 2 * RADIUS + 2) for x, y in hosts.values())]
    host_labels = [_host_label(topology, name, point, taken, lines) for name, point in hosts.items()]
    link_labels = [
        _link_label(tuple(link_label(link)), line, taken, lines)
        for link, line in zip(topology.links, lines, strict=True)
    ]
    return Picture(title, hosts, lines, host_labels, link_labels)


def _title(topology: Topology) -> Label:
    words = (
        topology.name
        if topology.description in ("", topology.name)
        else f"{topology.name}: {topology.description}"
    )
    words = " ".join(words.split())
    words = words if len(words) <= 90 else words[:89] + "…"
    width, height = _size([words], HOST_FONT)
    return Label((words,), Box(width / 2 + 12, HEIGHT - height / 2 - 6, width, height), HOST_FONT)


def _on_map(topology: Topology) -> dict[str, Point]:
    """Each site's place: equirectangular, true at the middle latitude, as large as fits."""
    found = topology.sites
    middle = (min(s.latitude for s in found.values()) + max(s.latitude for s in found.values())) / 2
    flat = {name: (s.longitude * cos(radians(middle)), s.latitude) for name, s in found.items()}
    left, right = min(x for x, _ in flat.values()), max(x for x, _ in flat.values())
    low, high = min(y for _, y in flat.values()), max(y for _, y in flat.values())
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    scale = min(wide / (right - left) if right > left else 1e9, tall / (high - low) if high > low else 1e9)
    scale = 1.0 if scale == 1e9 else scale
    centre = ((left + right) / 2, (low + high) / 2)
    return {
        name: Point(WIDTH / 2 + (x - centre[0]) * scale, HEIGHT / 2 + (y - centre[1]) * scale)
        for name, (x, y) in flat.items()
    }


def _spread(topology: Topology, sites: dict[str, Point]) -> dict[str, Point]:
    """Hosts at one site in a column around its place, or on a circle when they are many."""
    at_site = defaultdict(list)
    for host in topology.hosts:
        at_site[host.site].append(host.name)
    found: dict[str, Point] = {}
    for site, names in at_site.items():
        for n, name in enumerate(names):
            found[name] = _beside(sites[site], n, len(names))
    return {host.name: found[host.name] for host in topology.hosts}


def _beside(site: Point, n: int, count: int) -> Point:
    if count <= 6:
        y = site.y + APART * ((count - 1) / 2 - n)
        shift = max(0.0, MARGIN / 2 - (site.y - APART * (count - 1) / 2))
        drop = max(0.0, site.y + APART * (count - 1) / 2 - (HEIGHT - MARGIN / 2))
        return Point(site.x, y + shift - drop)
    radius = min(APART * count / (2 * pi), HEIGHT / 2 - MARGIN)
    angle = 2 * pi * n / count
    return Point(site.x + radius * cos(angle), site.y + radius * sin(angle))


def _line(hosts: dict[str, Point], a: str, b: str) -> Line:
    """A straight line, or the least bent one that keeps clear of all other hosts."""
    others = [point for name, point in hosts.items() if name not in (a, b)]
    for bend in (0.0, 0.12, -0.12, 0.2, -0.2, 0.3, -0.3):
        line = _bent(hosts[a], hosts[b], bend)
        if all(_distance(point, line) > CLEAR for point in others):
            return line
    return _bent(hosts[a], hosts[b], 0.0)


def _bent(a: Point, b: Point, bend: float) -> Line:
    """A quadratic curve whose middle lies beside the straight one by half of this part of its length."""
    if not bend:
        return (a, b)
    way = Point((a.x + b.x) / 2 - (b.y - a.y) * bend, (a.y + b.y) / 2 + (b.x - a.x) * bend)
    parts = [n / PIECES for n in range(PIECES + 1)]
    return tuple(
        Point(
            *((1 - t) ** 2 * p + 2 * t * (1 - t) * q + t * t * r for p, q, r in zip(a, way, b, strict=True))
        )
        for t in parts
    )


def _distance(point: Point, line: Line) -> float:
    return min(_to_piece(point, a, b) for a, b in pairwise(line))


def _to_piece(point: Point, a: Point, b: Point) -> float:
    across, up = b.x - a.x, b.y - a.y
    square = across * across + up * up
    part = ((point.x - a.x) * across + (point.y - a.y) * up) / square if square else 0.0
    part = min(1.0, max(0.0, part))
    return hypot(point.x - a.x - part * across, point.y - a.y - part * up)


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
    box = _best(places, taken, lines)
    return Label(words, box, HOST_FONT)


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
            x, y = _part(line, part)
            yield Box(x + across[0] * side, y + across[1] * side, width, height)


def _part(line: Line, part: float) -> Point:
    """The point at this part of a line's pieces."""
    piece = min(int(part * (len(line) - 1)), len(line) - 2)
    rest = part * (len(line) - 1) - piece
    (ax, ay), (bx, by) = line[piece], line[piece + 1]
    return Point(ax + (bx - ax) * rest, ay + (by - ay) * rest)


def _best(places: list[Box], taken: list[Box], lines: list[Line], own: Line | None = None) -> Box:
    """The first place that costs least; it is taken from then on."""
    others = [line for line in lines if line is not own]
    stray = 1 if own is None else 5  # a link's label that leaves its line seems to belong to another

    def cost(place: tuple[int, Box]) -> float:
        rank, box = place
        covered = sum(box.overlap(other) for other in taken)
        crossed = sum(any(_crosses(box, piece) for piece in pairwise(line)) for line in others)
        return 1000 * (covered > 0) + covered + 500 * box.outside() + 60 * crossed + stray * rank

    box = min(enumerate(places), key=cost)[1]
    taken.append(box)
    return box


def _crosses(box: Box, line: tuple[Point, Point]) -> bool:
    """Whether a line passes through a box (Liang and Barsky, ACM ToG 3(1), 1984)."""
    (ax, ay), (bx, by) = line
    enter, leave = 0.0, 1.0
    for step, near, far in (
        (bx - ax, box.x - box.width / 2 - ax, box.x + box.width / 2 - ax),
        (by - ay, box.y - box.height / 2 - ay, box.y + box.height / 2 - ay),
    ):
        if step == 0:
            if near > 0 or far < 0:
                return False
            continue
        first, last = sorted((near / step, far / step))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave
