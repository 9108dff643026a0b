"""Points, boxes and lines of a picture, in points (1/72 inch) from the lower left corner."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from math import hypot
from typing import NamedTuple

#: The whole picture.
WIDTH, HEIGHT = 864.0, 648.0
#: Straight pieces of a bent line.
PIECES = 24


class Layout(StrEnum):
    """The places of hosts: those of their sites, or by the structure of their links."""

    MAP = "map"
    STRUCTURE = "structure"


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
        """Return the area that two boxes share, in square points."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return wide * high if wide > 0 and high > 0 else 0.0

    def outside(self) -> float:
        """Return how far it lies beyond the picture (points)."""
        return max(
            0.0,
            self.width / 2 - self.x,
            self.x + self.width / 2 - WIDTH,
            self.height / 2 - self.y,
            self.y + self.height / 2 - HEIGHT,
        )


def bent(a: Point, b: Point, bend: float) -> Line:
    """Bend a line to a quadratic curve; its middle lies aside by half of `bend` times the length."""
    if not bend:
        return (a, b)
    control = Point((a.x + b.x) / 2 - (b.y - a.y) * bend, (a.y + b.y) / 2 + (b.x - a.x) * bend)
    parts = [n / PIECES for n in range(PIECES + 1)]
    return tuple(
        Point(
            *(
                (1 - t) ** 2 * p + 2 * t * (1 - t) * q + t * t * r
                for p, q, r in zip(a, control, b, strict=True)
            )
        )
        for t in parts
    )


def distance(point: Point, line: Line) -> float:
    """Return how far a point lies from a line (points)."""
    return min(_to_piece(point, a, b) for a, b in pairwise(line))


def _to_piece(point: Point, a: Point, b: Point) -> float:
    across, up = b.x - a.x, b.y - a.y
    square = across * across + up * up
    part = ((point.x - a.x) * across + (point.y - a.y) * up) / square if square else 0.0
    part = min(1.0, max(0.0, part))
    return hypot(point.x - a.x - part * across, point.y - a.y - part * up)


def along(line: Line, part: float) -> Point:
    """Return the point at this part of a line's pieces."""
    piece = min(int(part * (len(line) - 1)), len(line) - 2)
    rest = part * (len(line) - 1) - piece
    (ax, ay), (bx, by) = line[piece], line[piece + 1]
    return Point(ax + (bx - ax) * rest, ay + (by - ay) * rest)


def crosses(box: Box, line: Line) -> bool:
    """Return True where a line passes through a box."""
    return any(_passes(box, piece) for piece in pairwise(line))


def _passes(box: Box, piece: tuple[Point, Point]) -> bool:
    """Return True where a straight piece does (Liang and Barsky, ACM ToG 3(1), 1984)."""
    (ax, ay), (bx, by) = piece
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
