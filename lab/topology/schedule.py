"""Schedules of link changes while an experiment runs, written by hand or recorded as a trace.

A schedule is a list of changes: ``{"at": "30s", "link": "AMS-PRG", "loss": 5}``. A trace is a CSV
file of one link's delay, rate and loss over time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab.errors import TopologyError, nearest
from lab.topology import impairments
from lab.util import documents
from lab.util.documents import MIB, Bounds

#: Changes of a whole link: down, up again, or as it was at first.
ACTIONS = ("down", "up", "reset")
#: Columns of a trace: time (s), one-way delay (ms), rate (Mbit/s), loss (percent).
COLUMNS = ("time", "delay", "rate", "loss")
#: A trace of a day with ten rows a second takes half of it, but a schedule has fewer changes.
TRACE = Bounds("trace", size=4 * MIB, item="\n", items=110_000)
#: Changes of a schedule; each takes some hundredths of a second.
MOST = 100_000
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|)\s*")
_UNITS = {"ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a link at a time.

    Attributes:
        at: seconds after the beginning of measuring.
        link: its name.
        action: one of `ACTIONS`, or ``set``.
        sender: the host into whose direction it holds; None for both.
        values: parameters to set, of `lab.topology.impairments`, or ``rtt``.
    """

    at: float
    link: str
    action: str = "set"
    sender: str | None = None
    values: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        what = ", ".join(f"{name} {_word(value)}" for name, value in self.values) or self.action
        return f"{self.link}{f' from {self.sender}' if self.sender else ''}: {what}"


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def seconds(at: Any) -> float | None:
    """Return a time in seconds (``30``, ``"30s"``, ``"500 ms"``, ``"2min"``); None when it is none."""
    if isinstance(at, (int, float)) and not isinstance(at, bool):
        found = documents.number(at)
        return found if found is not None and found >= 0 else None
    words = _TIME.fullmatch(at) if isinstance(at, str) and len(at) < 100 else None
    return float(words[1]) * _UNITS[words[2]] if words else None


def faults(entries: Any, links: Mapping[str, Sequence[str]]) -> list[str]:
    """Return everything that is wrong with a schedule for links, each of which has two hosts."""
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, Mapping) for entry in entries):
        return ["the schedule is no list of changes"]
    if len(entries) > MOST:
        return [f"the schedule has {len(entries)} changes; {MOST} at most"]
    return [
        f"schedule, change {number}: {fault}"
        for number, entry in enumerate(entries, start=1)
        for fault in _faults(entry, links)
    ]


def _faults(entry: Mapping[str, Any], links: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if seconds(entry.get("at")) is None:
        yield f"at {entry.get('at')!r} is no time, as 30 or '30s' is"
    link = entry.get("link")
    if not isinstance(link, str) or link not in links:
        near = nearest(str(link), links)
        yield f"unknown link {link!r}" + (f" (did you mean {near!r}?)" if near else "")
    elif (sender := entry.get("from")) is not None and sender not in links[link]:
        yield f"from {sender!r}: that is neither of the hosts of {link}"
    acts = [name for name in ACTIONS if name in entry]
    values = _values(entry)
    if any(entry[name] is not True for name in acts):
        yield f"{acts[0]} is true or absent"
    if len(acts) + bool(values) != 1:
        yield f"it must set parameters, or do one of {', '.join(ACTIONS)}"
    if acts and "from" in entry:
        yield f"{acts[0]} is for a whole link"
    yield from (
        f"{name} has no value; only {', '.join(impairments.CLEARABLE)} can be set to none"
        for name, value in values.items()
        if value is None and name not in impairments.CLEARABLE
    )
    rtt = values.pop("rtt", None)
    if rtt is not None:
        yield from impairments.out_of_range("rtt", rtt, (0.0, 10_000.0, "ms"))
    yield from impairments.running_faults(values)


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("at", "link", "from", *ACTIONS)}


def read(entries: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Return the changes of a schedule without faults, in the order of time."""
    found = []
    for entry in entries:
        action = next((name for name in ACTIONS if name in entry), "set")
        at, values = seconds(entry["at"]) or 0.0, tuple(sorted(_values(entry).items()))
        found.append(Change(at, entry["link"], action, entry.get("from"), values))
    return tuple(sorted(found, key=lambda change: change.at))


def read_trace(file: Path, source: str = "", *, beneath: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of a trace in a file, as `trace` does.

    Args:
        file: the trace.
        source: the document that names it, where one does.
        beneath: a folder that it must lie in.

    Raises:
        TopologyError: it cannot be read, or has faults.
    """

    def refuse(words: str) -> TopologyError:
        return TopologyError(f"{source}: the trace {words}" if source else f"the trace {words}")

    return documents.read(file, lambda text: trace(text, str(file)), refuse, TRACE, beneath=beneath)


def trace(text: str, source: str) -> list[dict[str, Any]]:
    """Return the rows of a recorded trace: ``at`` and what to set then; a field left empty changes nothing.

    Raises:
        TopologyError: naming every row at fault.
    """
    rows = list(_csv(text, source))
    named = [name.strip() for name in rows[0] if name is not None] if rows else []
    if strangers := [name for name in named if name not in COLUMNS] or ("time" not in named and ["time"]):
        raise TopologyError(
            f"{source}: a trace has the columns {', '.join(COLUMNS)}, time at least, and a row; "
            f"{', '.join(strangers)} is {'missing' if 'time' not in named else 'unknown'}"
        )
    found, wrong = [], []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_row(row))
        except ValueError as error:
            wrong.append(f"{source}:{number}: {error}")
    late = [n for n, (a, b) in enumerate(pairwise(found), 3) if b["at"] < a["at"]]
    wrong += [f"{source}:{number}: its time is before that of the row above" for number in late]
    if wrong:
        raise TopologyError("\n".join(wrong[:20]), wrong)
    return found


def _csv(text: str, source: str) -> Iterator[dict[Any, Any]]:
    """Rows as mappings; cells beyond the columns are under None."""
    reader = csv.DictReader(line for line in text.splitlines() if line.strip())
    try:
        yield from reader
    except csv.Error as error:
        raise TopologyError(f"{source}:{reader.line_num + 1}: {error}") from error


def _row(raw: Mapping[Any, Any]) -> dict[str, Any]:
    if any(value.strip() for value in raw.get(None, ())):
        raise ValueError("it has more fields than columns")
    row = {key.strip(): value for key, value in raw.items() if key}
    numbers = {key: float(value) for key, value in row.items() if value is not None and value.strip()}
    at = seconds(numbers.pop("time", None))
    if at is None:
        raise ValueError("its time is no number of seconds")
    if found := list(impairments.running_faults(numbers)):
        raise ValueError("; ".join(found))
    return {"at": at, **numbers}
