"""One feed for many readers: each has what is new since it last took something, and never more than that.

A reader that is slow misses what is old by then: of a link, a host or a sample it gets the last state only.
So a browser that went to sleep costs no memory and no time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from lab.feed.objects import Plain

#: Events and pings that a new reader gets, and that are kept for a slow one.
KEPT = 200
#: What an object is the last state of, by its kind: a later one with the same values replaces it.
_SAME = {
    "lab": ("lab",),
    "links": ("lab",),
    "host": ("lab", "host"),
    "overlay": ("lab", "overlay"),
    "run": ("run",),
    "sample": ("run", "cell", "bring_up", "repetition"),
    "figure": ("run", "name"),
    "machine": (),
}

Key = tuple[Any, ...]


class Item:
    """An object on its way; its text is made once, for all readers."""

    __slots__ = ("_text", "plain")

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self._text = ""

    @property
    def text(self) -> str:
        """The object as one line of JSON."""
        self._text = self._text or dumps(self.plain)
        return self._text


def dumps(plain: Plain) -> str:
    """Return an object as one line of JSON, without spaces."""
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Pending:
    """The last state of everything, in the order in which it came; see `_SAME`."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._numbers = count()
        self._single = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: Item) -> None:
        """Take an object; it replaces an older state of the same thing."""
        key = self._key(item.plain)
        if item.plain["kind"] == "lab":
            # its links and hosts come anew
            self._drop(item.plain["lab"])
        old = self._items.pop(key, None)
        if old is not None and item.plain["kind"] == "links":
            item = Item(merged(old.plain, item.plain))
        elif old is not None and item.plain["kind"] == "run":  # its grid was told only at first
            item = Item({**old.plain, **item.plain})
        self._items[key] = item
        if self._single > KEPT:
            self._drop_oldest()

    def all(self) -> list[Item]:
        """Return all that is there."""
        return list(self._items.values())

    def take(self) -> list[Item]:
        """Return all that is there, and keep none of it."""
        taken = self.all()
        self._items.clear()
        self._single = 0
        return taken

    def _key(self, plain: Plain) -> Key:
        kind = plain["kind"]
        if kind in _SAME:
            return (kind, *(plain[name] for name in _SAME[kind]))
        self._single += 1
        return (kind, next(self._numbers))

    def _drop(self, lab: str) -> None:
        kinds = ("links", "host", "overlay")
        for key in [key for key in self._items if key[0] in kinds and key[1] == lab]:
            del self._items[key]

    def _drop_oldest(self) -> None:
        for key in [key for key in self._items if key[0] not in _SAME][: self._single - KEPT]:
            del self._items[key]
            self._single -= 1


def merged(old: Plain, new: Plain) -> Plain:
    """Return two `links` objects as one: rows, reasons and settings of the newer one replace the older."""
    rows = {(row[0], row[1]): row for row in old["rows"]} | {(row[0], row[1]): row for row in new["rows"]}
    fresh = {str(row[0]) for row in new["rows"]}
    kept = {number: why for number, why in old["why"].items() if number not in fresh}
    both = {**new, "rows": list(rows.values()), "why": kept | new["why"]}
    if asked := old.get("asked", {}) | new.get("asked", {}):
        both["asked"] = asked
    return both


class Reader:
    """One who reads the feed: `take` waits until there is something new."""

    def __init__(self) -> None:
        self.pending = Pending()
        self._news = asyncio.Event()

    def put(self, item: Item) -> None:
        """Have something new."""
        self.pending.add(item)
        self._news.set()

    def wake(self) -> None:
        """Let `take` return, though there may be nothing new."""
        self._news.set()

    async def take(self) -> list[Item]:
        """Return all that is new, and wait for it."""
        await self._news.wait()
        self._news.clear()
        return self.pending.take()


class Hub:
    """The latest state of everything, and those who read it. For one event loop."""

    def __init__(self) -> None:
        self._state = Pending()
        self._readers: set[Reader] = set()
        self._watched = asyncio.Event()
        #: True when there is nothing more to come.
        self.over = False

    async def readers(self) -> None:
        """Return when someone reads."""
        await self._watched.wait()

    def publish(self, objects: Iterable[Plain]) -> None:
        """Give objects to all readers, and keep the latest state."""
        for plain in objects:
            item = Item(plain)
            self._state.add(item)
            for reader in self._readers:
                reader.put(item)

    def join(self) -> Reader:
        """Return a new reader, who gets the latest state of everything first."""
        reader = Reader()
        for item in self._state.all():
            reader.put(item)
        self._readers.add(reader)
        self._watched.set()
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader."""
        self._readers.discard(reader)
        if not self._readers:
            self._watched.clear()

    def end(self) -> None:
        """Let all readers go."""
        self.over = True
        for reader in self._readers:
            reader.wake()

    def latest(self) -> list[Plain]:
        """Return the latest state of everything."""
        return [item.plain for item in self._state.all()]
