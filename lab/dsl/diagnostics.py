"""Faults of a document, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from lab.errors import DslError, nearest


class Fault(NamedTuple):
    """One fault: `line` and `column` count from 1; `text` is the offending text, `what` half a sentence."""

    line: int
    column: int
    text: str
    what: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {shortened(self.text)}: {self.what}"


class TooManyFaults(Exception):
    """The maximum number of reported faults was reached, so the search ends."""


class Faults:
    """Collects the faults of one text, by their offset in it, at most `most` of them."""

    def __init__(self, text: str, most: int = 200) -> None:
        self._text, self._most = text, most
        self._found: dict[tuple[int, str], Fault] = {}
        self._lines: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def _full(self) -> bool:
        return len(self._found) >= self._most

    def add(self, at: int, text: str, what: str) -> None:
        """Keep a fault; `at` is the offset of the offending text.

        Raises:
            TooManyFaults: it is the last that is kept.
        """
        self._found[at, what] = Fault(*self.place(at), text, what)
        if self._full:
            raise TooManyFaults

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of an offset."""
        if not self._lines:
            self._lines = [0, *(found.end() for found in re.finditer("\n", self._text))]
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def raise_if_any(self, source: str) -> None:
        """Raise all of them as one error, in the order of the text.

        Raises:
            DslError: there is at least one.
        """
        if not self._found:
            return
        faults = sorted(self._found.values())
        lines = [f"{source}:{fault}" for fault in faults]
        if self._full:
            lines.append(f"{source}: there may be more; these are the first {len(faults)}")
        raise DslError("\n".join(lines), faults)


def expected(name: str, known: Iterable[str]) -> str:
    """Return the expected names: the nearest known one, or all when they are few."""
    names = sorted(set(known))
    if near := nearest(name, names):
        return f"expected {near!r}?"
    if len(names) == 1:
        return f"expected {names[0]!r}"
    return f"expected one of {', '.join(names)}" if names and len(names) <= 20 else f"{len(names)} are known"


def shortened(text: str) -> str:
    """At most 60 characters of a text, on one line, in quotes."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
