"""The design: each overlay as often on each machine, from a seed; and what stragglers and losses do to it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.runs.plan import Block, blocks
from lab.spread.design import Design

OVERLAYS = ("weave", "tinc", "flannel")


def dealt(machines: list[str], bring_ups: int, seed: int = 1) -> dict[str, list[Block]]:
    """What each machine measures where all are equally fast."""
    design = Design(blocks(OVERLAYS, bring_ups, seed), machines, seed)
    found: dict[str, list[Block]] = {name: [] for name in machines}
    while design.left:
        for name in machines:
            if block := design.take(name):
                found[name].append(block)
                design.done(block)
    return found


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 10**6))
def test_every_block_is_dealt_once_and_overlays_are_balanced(count: int, rounds: int, seed: int) -> None:
    machines = [f"m{number}" for number in range(count)]
    found = dealt(machines, rounds * count, seed)
    every = [block for row in found.values() for block in row]
    assert Counter(every) == Counter(blocks(OVERLAYS, rounds * count, seed))
    for row in found.values():
        assert Counter(block.overlay for block in row) == dict.fromkeys(OVERLAYS, rounds)


def test_a_seed_decides_who_measures_what() -> None:
    machines = ["a", "b", "c", "d"]
    assert dealt(machines, 4, 7) == dealt(["d", "c", "b", "a"], 4, 7)
    assert any(dealt(machines, 4, 7) != dealt(machines, 4, seed) for seed in range(8, 12))


def test_a_fast_machine_takes_what_a_straggler_has_left() -> None:
    design = Design(blocks(OVERLAYS, 4, 1), ["fast", "slow"], 1)
    held = design.take("slow")
    taken = []
    while block := design.take("fast"):
        taken.append(block)
        design.done(block)
    assert held is not None
    assert len(taken) == 11
    assert (
        max(Counter(b.overlay for b in taken).values()) - min(Counter(b.overlay for b in taken).values()) <= 1
    )
    assert design.left == 1


def test_a_block_that_failed_goes_elsewhere_and_back_only_if_nobody_else_is_there() -> None:
    design = Design(blocks(("weave",), 1, 1), ["a", "b"], 1)
    block = design.take("a") or design.take("b")
    assert block is not None
    design.give_back(block, "a")
    assert design.take("a") is None
    assert design.take("b") == block
    design.give_back(block, "b")
    assert design.take("a") is None
    design.unstick(["a", "b"])
    assert design.take("a") == block


def test_what_was_dealt_to_a_machine_that_leaves_is_taken_by_others() -> None:
    design = Design(blocks(OVERLAYS, 2, 1), ["a", "b"], 1)
    design.leave("a")
    taken = [block for _ in range(6) if (block := design.take("b"))]
    assert len(set(taken)) == 6


def test_a_machine_that_comes_later_gets_a_part() -> None:
    design = Design(blocks(OVERLAYS, 2, 1), ["a"], 1)
    assert design.take("late") is not None


@pytest.mark.parametrize("machines", [[], ["a"]])
def test_blocks_wait_for_machines(machines: list[str]) -> None:
    design = Design(blocks(OVERLAYS, 1, 1), machines, 1)
    assert design.left == 3
    assert len([1 for _ in range(3) if design.take("a")]) == 3
