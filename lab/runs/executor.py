"""Who measures: the seam at which a run can be spread over several labs.

Cells are independent. The runner says what is wanted next and how one task is measured; an
executor decides where and when. The default measures here, one at a time, because two
measurements at once would share links and CPUs and spoil each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from lab.runs.plan import Task
from lab.runs.sample import Sample


class Measured(Protocol):
    """A sample and the tool's own output that belongs to it."""

    @property
    def sample(self) -> Sample: ...

    @property
    def raw(self) -> str: ...


Measure = Callable[[Task], Awaitable[Measured]]


class Executor(Protocol):
    """Measures tasks and hands back what came of each; the caller writes it down."""

    def results(self, tasks: Iterable[Task], measure: Measure) -> AsyncIterator[Measured]: ...


class InProcess:
    """One task at a time, in this process."""

    async def results(self, tasks: Iterable[Task], measure: Measure) -> AsyncIterator[Measured]:
        for task in tasks:
            yield await measure(task)
