"""Events of the engine's work. The engine never prints: it emits, the CLI draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, get_args


@dataclass(frozen=True)
class StepStarted:
    """A step began, e.g. ``bring-up: hosts``."""

    step: str


@dataclass(frozen=True)
class StepDone:
    """A step ended after `seconds` (s); `detail` is a few words on what came of it."""

    step: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StepFailed:
    """A step ended in an error, or was interrupted, after `seconds` (s); the error itself tells why."""

    step: str
    seconds: float


@dataclass(frozen=True)
class Note:
    """One sentence that the user should read."""

    text: str


@dataclass(frozen=True)
class SampleStarted:
    """A repetition of a cell starts; `done` of `total` samples are there, `left` (s) is the estimate.

    `bring_up` counts from 1; `where` is in words where it happens, "" for here.
    """

    cell: str
    repetition: int
    repetitions: int
    done: int
    total: int
    left: float
    bring_up: int = 1
    where: str = ""

    @property
    def named(self) -> str:
        """The cell, and where it is measured."""
        return f"{self.cell} in {self.where}" if self.where else self.cell


@dataclass(frozen=True)
class SampleDone:
    """A repetition was measured and is on disk; `reasons` are those of its verdict."""

    cell: str
    repetition: int
    outcome: str
    verdict: str
    values: dict[str, Any] = field(default_factory=dict)
    bring_up: int = 1
    collapsed: bool = False
    reasons: list[str] = field(default_factory=list)


Event = StepStarted | StepDone | StepFailed | Note | SampleStarted | SampleDone
Emit = Callable[[Event], None]


KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def to_json(event: Event) -> str:
    """Write an event as one line of JSON, for another process."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def from_json(line: str) -> Event | None:
    """Read an event that `to_json` wrote; None for any other line."""
    try:
        stored = json.loads(line)
        return KINDS[stored.pop("event")](**stored)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def silent(_: Event) -> None:
    """Take no notice: for tests and for callers that draw nothing."""


@contextmanager
def step(emit: Emit, name: str) -> Iterator[list[str]]:
    """Emit start and end of a step; append words to the yielded list for its detail."""
    emit(StepStarted(name))
    words: list[str] = []
    start = monotonic()
    try:
        yield words
    except BaseException:
        emit(StepFailed(name, monotonic() - start))
        raise
    emit(StepDone(name, monotonic() - start, ", ".join(words)))
