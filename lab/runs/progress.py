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

    A repetition in which the overlay's mode changed is measured again `repeats` times at most;
    after that the last one stands, marked. A cell of which some samples count and others do not gets a
    further repetition for each of these, `extra` at most; one of which none counts would get more alike.
    """

    def __init__(
        self, cells: Sequence[Cell], samples: Iterable[Sample] = (), repeats: int = 0, extra: int = 0
    ) -> None:
        self._cells = {cell.key: cell for cell in cells}
        self._repeats, self._extra = repeats, extra
        self._valid: Counter[str] = Counter()
        self._spoilt: Counter[str] = Counter()
        self._changed: Counter[tuple[str, int]] = Counter()
        self._ok: set[tuple[str, int]] = set()
        self._attempts: Counter[tuple[str, int]] = Counter()
        self._overheads: list[float] = []
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample, took: float | None = None) -> None:
        """Take note of a sample that is on disk; `took` (s) is all the time that it cost, if known."""
        place = (sample.cell, sample.repetition)
        self._attempts[place] += 1
        self._changed[place] += bool(sample.changed)
        if sample.ok and not (sample.changed and self._changed[place] <= self._repeats):
            self._ok.add(place)
            (self._valid if sample.valid else self._spoilt)[sample.cell] += 1
            if cell := self._cells.get(sample.cell):
                self._overheads.append((took or sample.seconds) - cell.duration)

    def done(self, task: Task) -> bool:
        """Return True when this repetition has been measured, or is an extra one that is not needed."""
        there = (task.cell.key, task.repetition) in self._ok
        return there or task.repetition > self.asked(task.cell)

    def asked(self, cell: Cell) -> int:
        """Count the repetitions of a cell that are to be measured, the extra ones needed so far included."""
        needed = self._spoilt[cell.key] if self._valid[cell.key] else 0
        return cell.repetitions + min(self._extra, needed)

    def finished(self, cell: Cell) -> bool:
        """Return True when all repetitions of a cell that the profile asks for have been measured."""
        return all(self.done(Task(cell, n)) for n in range(1, cell.repetitions + 1))

    def attempts(self, task: Task) -> int:
        """Count the attempts at this repetition so far."""
        return self._attempts[task.cell.key, task.repetition]

    @property
    def total(self) -> int:
        """All repetitions of all cells."""
        return sum(self.asked(cell) for cell in self._cells.values())

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
            for repetition in range(1, self.asked(cell) + 1):
                yield Task(cell, repetition)
