"""The picture of the house: floors as rows, rooms as boxes, thinned imports as arrows that only run down.

The order of the boxes in a row is that of `FLOORS` in `scripts/architecture_imports.py`. A box stands as near
to its neighbours as its row allows; an arrow past a floor runs through a gap between that floor's boxes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from scripts.architecture_imports import FLOORS, INNER, Import, thinned, thinned_inside

WIDTH, MARGIN = 940, 26
BOX, ROW_GAP, BOX_GAP = 46, 40, 30
LANE = 9  # between two arrows side by side
#: Width of a character of a room's name (bold, 14 px) and of the line below it (11.5 px), in a wide font.
NAME, NOTE = 9.1, 7.0
#: Floors at the bottom that every room may use: their arrows would hide all others.
FOUNDATION = 2
ENTRANCE = "lab"
PLUGINS = {"overlays", "experiments", "topologies"}
MODES = {"lab.emulation", "lab.testbed"}
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
STYLE = f"""
text {{ font-family: {FONT}; fill: #1f2933; }}
.name {{ font-size: 14px; font-weight: 600; }} .lab {{ font-weight: 400; fill: #7b8794; }}
.note {{ font-size: 11.5px; fill: #52606d; }} .size {{ font-size: 10.5px; fill: #7b8794; text-anchor: end; }}
.paper {{ fill: #ffffff; }} .floor {{ fill: #f5f7fa; }}
.room {{ fill: #ffffff; stroke: #9aa5b1; stroke-width: 1.2; }}
.mode {{ fill: #e3f4f1; stroke: #2f9486; }} .plugin {{ fill: #fdf3dc; stroke: #c99316; }}
.inner {{ fill: #ffffff; stroke: #2f9486; stroke-width: 1; }}
.base {{ fill: #e4e7eb; stroke: #9aa5b1; stroke-width: 1.2; }}
.arrow {{ fill: none; stroke: #66788a; stroke-width: 1.5; }} .head {{ fill: #66788a; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #f0f3f6; }} .lab, .size {{ fill: #9aa7b4; }} .note {{ fill: #c3ccd5; }}
.paper {{ fill: #0d1117; }} .floor {{ fill: #161b22; }} .room, .inner {{ fill: #21262d; stroke: #6e7b88; }}
.mode {{ fill: #12352f; stroke: #4cc2b0; }} .inner {{ fill: #0d1f1c; stroke: #4cc2b0; }}
.plugin {{ fill: #3a2d0c; stroke: #dfae3b; }} .base {{ fill: #2b323a; stroke: #6e7b88; }}
.arrow {{ stroke: #93a1ae; }} .head {{ fill: #93a1ae; }}
}}"""


@dataclass
class Room:
    """A box: its name, the line below it, its floor, and the x of its middle."""

    name: str
    note: str
    floor: int
    x: float = 0.0
    width: float = 0.0
    height: float = BOX
    above: list[Room] = field(default_factory=list)
    below: list[Room] = field(default_factory=list)

    @property
    def left(self) -> float:
        """The x of the box's left side."""
        return self.x - self.width / 2

    @property
    def kind(self) -> str:
        """The class in the style sheet: a place that makes hosts, plug-ins, or neither."""
        return "plugin" if self.name in PLUGINS else "mode" if self.name in MODES else ""


def draw(found: Iterable[Import], sizes: dict[str, int]) -> str:
    """Return the picture as SVG, with the sizes of the rooms (lines) in thousands."""
    found = list(found)
    rows = _rows(thinned(found))
    tops, bottom = _heights(rows)
    parts = [f'<rect class="paper" width="{WIDTH}" height="{bottom:g}" rx="8"/>']
    for row, top in zip(rows, tops, strict=True):
        height = max(room.height for room in row) + 16
        parts.append(_rect("floor", 8, top - 8, WIDTH - 16, height))
    parts += _arrows(rows, tops)
    for row, top in zip(rows, tops, strict=True):
        for room in row:
            parts += _box(room, top, sizes)
            if room.height > BOX:
                parts += _inner_boxes(room, top, sizes, thinned_inside(found))
    parts += _foundation(tops[-1] + BOX + 22, sizes)
    size = f'viewBox="0 0 {WIDTH} {bottom:g}" width="{WIDTH}" height="{bottom:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>The rooms of the house, floor by floor; arrows are imports</title>"
    return "\n".join([head, title, f"<style>{STYLE}\n</style>", *parts, "</svg>\n"])


def shape(picture: str) -> str:
    """Return the picture without the numbers of lines: what `make architecture` must not change by itself."""
    return re.sub(r'(<text class="size"[^>]*>)[^<]*', r"\1", picture)


def _rows(arrows: Sequence[tuple[str, str]]) -> list[list[Room]]:
    rows = [
        [
            Room(name, note, floor, width=_width(name, note))
            for name, note in rooms.items()
            if name != ENTRANCE
        ]
        for floor, rooms in enumerate(FLOORS[:-FOUNDATION])
    ]
    rows = [row for row in rows if row]
    by_name = {room.name: room for row in rows for room in row}
    for floor, row in enumerate(rows):
        for room in row:
            room.floor = floor
    for start, end in arrows:
        if start in by_name and end in by_name:
            by_name[start].below.append(by_name[end])
            by_name[end].above.append(by_name[start])
    whole = by_name["lab.emulation"]
    whole.height = BOX + 52
    whole.width = (
        sum(_width(name.rpartition(".")[2], note) for name, note in INNER.items()) + 12 + 26 * len(INNER)
    )
    _place(rows)
    return rows


def _width(name: str, note: str) -> float:
    shown = name.replace("lab.", "lab/")
    return round(max(len(shown) * NAME + 44, len(note) * NOTE + 18))


def _place(rows: list[list[Room]]) -> None:
    """Give every box its x: beside its neighbours in the table, near those that its arrows join it to."""
    for row in rows:
        room_left = WIDTH - 2 * MARGIN - sum(room.width for room in row)
        x = MARGIN + room_left / (len(row) + 1)
        for room in row:
            room.x = x + room.width / 2
            x += room.width + room_left / (len(row) + 1)
    for step in range(40):
        for row in rows if step % 2 else rows[::-1]:
            _settle(row, [_wished(room) for room in row])


def _wished(room: Room) -> float:
    near = [other.x for other in (*room.above, *room.below)]
    return sum(near, room.x) / (len(near) + 1)


def _settle(row: list[Room], wished: list[float]) -> None:
    """Move the boxes of a row as near to the wished places as order and gaps let them (pooled averages)."""
    free = WIDTH - 2 * MARGIN - sum(room.width for room in row)
    gap = min(BOX_GAP, free / max(len(row) - 1, 1))
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + gap)
    groups: list[list[float]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        groups.append([wish - offset])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    start = MARGIN + row[0].width / 2
    end = WIDTH - MARGIN - row[-1].width / 2 - offsets[-1]
    places = [min(max(_mean(group), start), end) for group in groups for _ in group]
    for room, place, offset in zip(row, places, offsets, strict=True):
        room.x = round(place + offset)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _heights(rows: list[list[Room]]) -> tuple[list[float], float]:
    tops, y = [], 20.0
    for row in rows:
        tops.append(y)
        y += max(room.height for room in row) + ROW_GAP
    return tops, y + 72


def _arrows(rows: list[list[Room]], tops: list[float]) -> list[str]:
    """Return the arrows: smooth down to the next floor, straight past the boxes of a floor between."""
    lanes = [[(room.left - 9, room.left + room.width + 9) for room in row] for row in rows]
    ways = {}
    pairs = [(start, end) for row in rows for start in row for end in start.below]
    for start, end in sorted(pairs, key=lambda pair: (pair[1].floor - pair[0].floor, pair[0].x, pair[1].x)):
        ways[start.name, end.name] = _lanes(start, end, lanes)
    ports = _ports(pairs, ways)
    parts = []
    for start, end in pairs:
        leave, arrive = ports[start.name, end.name]
        points = [(leave, tops[start.floor] + start.height)]
        if start.height < (tall := max(room.height for room in rows[start.floor])):
            points.append((leave, tops[start.floor] + tall))
        for floor, x in enumerate(ways[start.name, end.name], start.floor + 1):
            tall = max(room.height for room in rows[floor])
            points += [(x, tops[floor] - 4), (x, tops[floor] + tall + 4)]
        points.append((arrive, tops[end.floor] - 6))
        parts.append(f'<path class="arrow" d="{_path(points)}"/>')
        x, y = points[-1]
        parts.append(f'<path class="head" d="M{x:g} {y + 6:g}l-4.2 -8.5h8.4z"/>')
    return parts


def _lanes(start: Room, end: Room, lanes: list[list[tuple[float, float]]]) -> list[float]:
    """Return the x at which an arrow passes each floor between, and keep that lane for it."""
    way: list[float] = []
    x = start.x
    for floor in range(start.floor + 1, end.floor):
        wished = x + (end.x - x) / (end.floor - floor + 1)
        places = sorted(range(12, WIDTH - 11), key=lambda place: (abs(place - wished), place))
        x = next(p for p in places if all(not left < p < right for left, right in lanes[floor]))
        lanes[floor].append((x - LANE, x + LANE))
        way.append(x)
    return way


def _ports(
    pairs: list[tuple[Room, Room]], ways: dict[tuple[str, str], list[float]]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return where each arrow leaves and arrives: side by side, in the order of where they come from."""
    leaving, arriving = defaultdict(list), defaultdict(list)
    for start, end in pairs:
        way = ways[start.name, end.name]
        leaving[start.name].append((way[0] if way else end.x, end.name))
        arriving[end.name].append((way[-1] if way else start.x, start.name))
    rooms = {room.name: room for pair in pairs for room in pair}
    leave = {
        (name, other): x for name, ends in leaving.items() for other, x in _spread(rooms[name], sorted(ends))
    }
    arrive = {
        (other, name): x for name, ends in arriving.items() for other, x in _spread(rooms[name], sorted(ends))
    }
    return {(a.name, b.name): (leave[a.name, b.name], arrive[a.name, b.name]) for a, b in pairs}


def _spread(room: Room, ends: list[tuple[float, str]]) -> list[tuple[str, float]]:
    step = min(22.0, (room.width - 30) / max(len(ends) - 1, 1))
    middle = (len(ends) - 1) / 2
    return [(name, room.x + (index - middle) * step) for index, (_, name) in enumerate(ends)]


def _path(points: list[tuple[float, float]]) -> str:
    x, y = points[0]
    drawn = f"M{x:g} {y:g}"
    for to_x, to_y in points[1:]:
        if to_x == x:
            drawn += f"V{to_y:g}"
        else:
            bend = (to_y - y) * 0.55
            drawn += f"C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
    return drawn


def _box(room: Room, top: float, sizes: dict[str, int]) -> list[str]:
    return [
        _rect(f"room {room.kind}".strip(), room.left, top, room.width, room.height),
        _name(room.left + 11, top + 19, room.name),
        _text("note", room.left + 11, top + 36, room.note),
        _text("size", room.left + room.width - 7, top + 14, _thousands(sizes[room.name])),
    ]


def _inner_boxes(room: Room, top: float, sizes: dict[str, int], arrows: list[tuple[str, str]]) -> list[str]:
    parts, x, right = [], room.left + 14, {}
    for name, note in INNER.items():
        label = name.rpartition(".")[2]
        width = _width(label, note)
        parts += [
            _rect("inner", x, top + 46, width, 42),
            _name(x + 9, top + 63, label),
            _text("note", x + 9, top + 79, note),
            _text("size", x + width - 6, top + 59, _thousands(sizes[name])),
        ]
        right[name] = x + width
        x += width + 26
    for start, end in arrows:
        names = list(INNER)
        if names.index(end) == names.index(start) + 1:
            parts.append(f'<path class="arrow" d="M{right[start]:g} {top + 67:g}h18"/>')
            parts.append(f'<path class="head" d="M{right[start] + 26:g} {top + 67:g}l-8.5 -4.2v8.4z"/>')
    return parts


def _foundation(top: float, sizes: dict[str, int]) -> list[str]:
    """Return the slab at the bottom, and the legend below it."""
    rooms = [(name, note) for floor in FLOORS[-FOUNDATION:] for name, note in floor.items()]
    parts = [_rect("base", MARGIN, top, WIDTH - 2 * MARGIN, BOX)]
    wide = (WIDTH - 2 * MARGIN) / len(rooms)
    for index, (name, note) in enumerate(rooms):
        x = MARGIN + index * wide + 16
        parts += [_name(x, top + 19, name), _text("note", x, top + 36, note)]
        parts.append(_text("size", x + wide - 30, top + 14, _thousands(sizes[name])))
    y = top + BOX + 26
    legend = (("room mode", "makes hosts"), ("room plugin", "plug-ins, loaded by name"))
    x = float(MARGIN)
    for kind, words in legend:
        parts += [_rect(kind, x, y - 11, 16, 13), _text("note", x + 23, y, words)]
        x += 23 + len(words) * NOTE + 26
    words = "arrows: imports, without those that others imply and all to the slab · k: 1000 lines"
    parts.append(_text("note", x, y, words))
    return parts


def _thousands(lines: int) -> str:
    return f"{max(lines, 100) / 1000:.1f}k"


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'


def _name(x: float, y: float, name: str) -> str:
    before, dot, last = name.rpartition(".")
    folder = f'<tspan class="lab">{before}/</tspan>' if dot else ""
    return f'<text class="name" x="{x:g}" y="{y:g}">{folder}{escape(last)}</text>'


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(words)}</text>'
