"""A table as data: the command line draws it in a terminal or a pipe, the report as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Rows of text under a heading; every row has a cell for every column of its table."""

    heading: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Table:
    """Sections under common columns; `notes` are below."""

    title: str
    columns: Sequence[str]
    sections: Sequence[Section]
    notes: Sequence[str] = ()
