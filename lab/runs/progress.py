"""Progress of a run: the part that is on disk, and an estimate of the time for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lab.runs.experiment import Cell
from lab.runs.plan import Task
from lab.runs.sample import Sample

#: What a sample takes beside its measuring (s) until the first ones tell: two hand-shakes over
#: the chain and the start of a program inside two containers.
OVERHEAD = 1.0


class Progress:
    """Progress by the outcomes that were written, never by which files exist.

    How often a cell is measured does not depend on what was measured: a sample that does not count is
    not made up for, and one in which the traffic collapsed is not measured again. A repetition in which
    the overlay's mode changed is measured again `repeats` times at most; after that the last one stands,
    marked. Every cell has its repetitions in each of `bring_ups` blocks.
    """

    def __init__(
        self, cells: Sequence[Cell], samples: Iterable[Sample] = (), repeats: int = 0, bring_ups: int = 1
    ) -> None:
        self._cells = {cell.key: cell for cell in cells}
        self._repeats, self._bring_ups = repeats, bring_ups
        self._changed: Counter[tuple[str, int, int]] = Counter()
        self._there: set[tuple[str, int, int]] = set()
        self._attempts: Counter[tuple[str, int, int]] = Counter()
        self._overheads: list[float] = []
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample, took: float | None = None) -> None:
        """Take note of a sample that is on disk; `took` (s) is all the time that it cost, if known."""
        place = (sample.cell, sample.bring_up, sample.repetition)
        self._attempts[place] += 1
        self._changed[place] += bool(sample.changed)
        if sample.measured and not (sample.changed and self._changed[place] <= self._repeats):
            self._there.add(place)
            if cell := self._cells.get(sample.cell):
                self._overheads.append((took or sample.seconds) - cell.duration)

    def leave_out(self, cells: Iterable[Cell]) -> None:
        """Do not count these cells: they turn out to be impossible here."""
        for cell in cells:
            self._cells.pop(cell.key, None)

    def done(self, task: Task) -> bool:
        """Return True when this repetition has been measured."""
        return _place(task) in self._there

    def finished(self, cell: Cell, bring_up: int | None = None) -> bool:
        """Return True when all repetitions of a cell have been measured, in one block or in every one."""
        return all(self.done(task) for task in self._tasks_of(cell) if bring_up in (None, task.bring_up))

    def attempts(self, task: Task) -> int:
        """Count the attempts at this repetition so far."""
        return self._attempts[_place(task)]

    @property
    def total(self) -> int:
        """All repetitions of all cells, in all blocks."""
        return self._bring_ups * sum(cell.repetitions for cell in self._cells.values())

    @property
    def measured(self) -> int:
        """The repetitions that are there."""
        return sum(self.done(task) for task in self._tasks())

    @property
    def left(self) -> float:
        """An estimate of the time (s) that the missing repetitions take, without bringing overlays up."""
        overhead = sum(self._overheads) / len(self._overheads) if self._overheads else OVERHEAD
        return sum(task.cell.duration + overhead for task in self._tasks() if not self.done(task))

    def _tasks(self) -> Iterable[Task]:
        for cell in self._cells.values():
            yield from self._tasks_of(cell)

    def _tasks_of(self, cell: Cell) -> Iterable[Task]:
        for bring_up in range(1, self._bring_ups + 1):
            for repetition in range(1, cell.repetitions + 1):
                yield Task(cell, repetition, bring_up)


def _place(task: Task) -> tuple[str, int, int]:
    return task.cell.key, task.bring_up, task.repetition
