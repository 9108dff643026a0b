"""Order of a run: rounds of blocks, and in each block rounds of cells, in a recorded random order.

Every round of blocks brings every overlay up once, and every round of a block goes once through all
cells, each time in another order. So whatever drifts while a run lasts (another load on the machine,
heat) is spread over all overlays and cells, and does not look like an effect of one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from lab.runs.experiment import Cell

#: A repetition that the lab could not measure is given up after this many attempts.
ATTEMPTS = 3


@dataclass(frozen=True)
class Block:
    """One bring-up of one overlay: `number` counts from 1, `seed` is what its random numbers follow from."""

    overlay: str
    number: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.overlay} #{self.number}"


@dataclass(frozen=True)
class Task:
    """One repetition of one cell, to be measured in the block of this number."""

    cell: Cell
    repetition: int
    bring_up: int = 1


def blocks(overlays: Sequence[str], bring_ups: int, seed: int) -> list[Block]:
    """Return the blocks of a run: rounds, each with every overlay once, in a random order of its own."""
    found = []
    for number in range(1, bring_ups + 1):
        row = list(overlays)
        random.Random(f"{seed}/blocks/{number}").shuffle(row)
        found += [Block(name, number, seed + number - 1) for name in row]
    return found


def chosen(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """The cells whose key matches one of the patterns (``*/tcp/*``); all where there is none."""
    return [cell for cell in cells if not only or any(fnmatch(cell.key, f"*{word}*") for word in only)]


def order(cells: Sequence[Cell], block: Block) -> list[Task]:
    """All repetitions of all cells in one block, in rounds; the same for the same block."""
    most = max((cell.repetitions for cell in cells), default=0)
    rounds = [
        [Task(c, number, block.number) for c in cells if number <= c.repetitions]
        for number in range(1, most + 1)
    ]
    for number, row in enumerate(rounds, 1):
        random.Random(f"{block.seed}/{block.overlay}/{number}").shuffle(row)
    return [task for row in rounds for task in row]


def wanted(
    tasks: Sequence[Task], done: Callable[[Task], bool], failures: Callable[[Cell], int]
) -> Iterator[Task]:
    """Yield each task until it is done, again after the lab failed, and none of a cell that is given up.

    It is asked for the next task only after the last one's outcome is on disk.
    """
    for task in tasks:
        while not done(task) and failures(task.cell) < ATTEMPTS:
            yield task
