"""Order of the samples of a run: rounds of cells in a recorded random order.

Every round goes once through all cells, each time in another order, so that whatever drifts
while a run lasts (another load on the machine, heat) is spread over all cells and does not
look like an effect of one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from lab.runs.experiment import Cell

#: A cell that failed this often is given up, so that one broken path does not stop a run.
ATTEMPTS = 3


@dataclass(frozen=True)
class Task:
    """One repetition of one cell, to be measured."""

    cell: Cell
    repetition: int


def chosen(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """The cells whose key matches one of the patterns (``*/tcp/*``); all where there is none."""
    return [cell for cell in cells if not only or any(fnmatch(cell.key, f"*{word}*") for word in only)]


def order(cells: Sequence[Cell], seed: int, label: str, extra: int = 0) -> list[Task]:
    """All repetitions of all cells, in rounds; the same for the same seed and overlay.

    At the end come rounds of `extra` repetitions, for cells that turn out to need them.
    """
    most = max((cell.repetitions for cell in cells), default=0)
    rounds = [[Task(c, number) for c in cells if number <= c.repetitions] for number in range(1, most + 1)]
    rounds += [[Task(c, c.repetitions + number) for c in cells] for number in range(1, extra + 1)]
    for number, row in enumerate(rounds, 1):
        random.Random(f"{seed}/{label}/{number}").shuffle(row)
    return [task for row in rounds for task in row]


def wanted(
    tasks: Sequence[Task], done: Callable[[Task], bool], failures: Callable[[Cell], int]
) -> Iterator[Task]:
    """Yield each task until it is done, again after a failure, and none of a cell that is given up.

    It is asked for the next task only after the last one's outcome is on disk.
    """
    for task in tasks:
        while not done(task) and failures(task.cell) < ATTEMPTS:
            yield task
