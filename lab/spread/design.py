"""The balanced design of a run over machines: each overlay is measured as often on each machine.

Machines differ, so a machine is a factor of the run. The design deals the blocks of every overlay over the
machines in turns, beginning with another machine for each overlay, so that no overlay is confounded with one.
The order of machines and blocks is random, from the run's seed. A machine without work takes a block from the
machine that has the most left, of the overlay of which it had the least: so stragglers and lost machines cost
balance only at the end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from lab.runs.plan import Block


class Design:
    """Which block a machine measures next.

    Args:
        blocks: those to be measured, in the order of the run.
        machines: those that are there when the run begins.
        seed: of the random order.
    """

    def __init__(self, blocks: Sequence[Block], machines: Sequence[str], seed: int) -> None:
        order = sorted(machines)
        random.Random(f"{seed}/machines").shuffle(order)
        self._queues: dict[str, list[Block]] = {name: [] for name in order}
        #: Blocks of machines that are gone, or that failed somewhere: whoever is free takes them first.
        self._returned: list[Block] = []
        self._tried: dict[Block, set[str]] = {}
        self._had: dict[str, Counter[str]] = {}
        self._out: set[Block] = set()
        first: dict[str, int] = {}
        dealt: Counter[str] = Counter()
        for block in blocks:
            start = first.setdefault(block.overlay, len(first))
            place = start + dealt[block.overlay]
            dealt[block.overlay] += 1
            self._queue_of(order, place).append(block)

    def _queue_of(self, order: Sequence[str], place: int) -> list[Block]:
        return self._queues[order[place % len(order)]] if order else self._returned

    @property
    def left(self) -> int:
        """The number of blocks that are not measured yet, those under way included."""
        return len(self._returned) + sum(map(len, self._queues.values())) + len(self._out)

    def take(self, machine: str) -> Block | None:
        """Return the block that a machine measures now; None where there is none for it."""
        block = self._choose(machine)
        if block is not None:
            self._had.setdefault(machine, Counter())[block.overlay] += 1
            self._out.add(block)
        return block

    def _choose(self, machine: str) -> Block | None:
        own = self._queues.setdefault(machine, [])
        if fresh := [b for b in self._returned if machine not in self._tried.get(b, ())]:
            return self._pick(machine, self._returned, fresh)
        if own:
            return own.pop(0)
        most = max(self._queues.values(), key=len, default=[])
        return self._pick(machine, most, most) if most else None

    def _pick(self, machine: str, queue: list[Block], among: Sequence[Block]) -> Block:
        had = self._had.setdefault(machine, Counter())
        block = min(among, key=lambda one: (had[one.overlay], queue.index(one)))
        queue.remove(block)
        return block

    def adopt(self, block: Block, machine: str) -> None:
        """Note that a machine measures this block already, from before an interruption."""
        for queue in (self._returned, *self._queues.values()):
            if block in queue:
                queue.remove(block)
        self._had.setdefault(machine, Counter())[block.overlay] += 1
        self._out.add(block)

    def done(self, block: Block) -> None:
        """Note that a block is measured, or given up."""
        self._out.discard(block)

    def give_back(self, block: Block, machine: str, *, elsewhere: bool = True) -> None:
        """Take a block back that was not measured; with `elsewhere`, this machine does not get it again."""
        self._out.discard(block)
        self._had.setdefault(machine, Counter())[block.overlay] -= 1
        if elsewhere:
            self._tried.setdefault(block, set()).add(machine)
        self._returned.append(block)

    def leave(self, machine: str) -> None:
        """Take back all that was dealt to a machine that gets no more."""
        self._returned += self._queues.pop(machine, [])

    def unstick(self, machines: Sequence[str]) -> None:
        """Let blocks be measured again where they failed, if they failed on all machines that are left."""
        for tried in self._tried.values():
            if tried >= set(machines):
                tried.clear()
