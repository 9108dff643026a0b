"""The order of samples, and which of them are wanted."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.experiment import Cell
from lab.runs.plan import ATTEMPTS, Block, Task, blocks, chosen, order, wanted

CELLS = [Cell("weave", "tcp", {"to": n}, repetitions=n % 3 + 1, seconds=2.0, warmup=1.0) for n in range(6)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers())
def test_an_order_has_every_repetition_once_and_round_after_round(counts: list[int], seed: int) -> None:
    cells = [Cell("o", "m", {"n": n}, repetitions=count) for n, count in enumerate(counts)]
    block = Block("o", 1, seed)
    tasks = order(cells, block)
    assert Counter((t.cell.key, t.repetition) for t in tasks) == Counter(
        (cell.key, n) for cell in cells for n in range(1, cell.repetitions + 1)
    )
    assert [t.repetition for t in tasks] == sorted(t.repetition for t in tasks)
    assert tasks == order(cells, block)


def test_the_order_is_random_by_seed_overlay_and_round() -> None:
    cells = [Cell("o", "m", {"n": n}, repetitions=2) for n in range(20)]
    one = [t.cell.key for t in order(cells, Block("o", 1, 1))]
    assert one[:20] != [cell.key for cell in cells]
    assert one[:20] != one[20:]
    assert one != [t.cell.key for t in order(cells, Block("o", 2, 2))]
    assert one != [t.cell.key for t in order(cells, Block("p", 1, 1))]


def test_a_task_comes_again_until_it_is_done_and_a_hopeless_cell_goes() -> None:
    # given a cell that never succeeds and one that does at once
    bad, good = CELLS[0], CELLS[1]
    done, failures, seen = list[Task](), Counter[str](), list[str]()
    for task in wanted(
        [Task(bad, 1), Task(good, 1), Task(bad, 2), Task(good, 2)],
        done.__contains__,
        lambda cell: failures[cell.key],
    ):
        seen.append(task.cell.key)
        if task.cell is bad:
            failures[bad.key] += 1
        else:
            done.append(task)
    assert seen == [bad.key] * ATTEMPTS + [good.key] * 2


def test_every_round_of_blocks_has_every_overlay_once_and_none_is_always_first() -> None:
    names = ("underlay", "weave", "flannel")
    found = blocks(names, 20, 7)
    assert found == blocks(names, 20, 7) != blocks(names, 20, 8)
    assert [block.number for block in found] == sorted(block.number for block in found)
    for number in range(1, 21):
        row = [block for block in found if block.number == number]
        assert sorted(block.overlay for block in row) == sorted(names)
        assert {block.seed for block in row} == {7 + number - 1}
    assert {found[n].overlay for n in range(0, 60, 3)} == set(names)


def test_cells_are_chosen_by_a_part_of_their_key() -> None:
    assert chosen(CELLS, []) == CELLS
    assert chosen(CELLS, ["to=3"]) == [CELLS[3]]
    assert chosen(CELLS, ["to=1", "tcp/to=2"]) == CELLS[1:3]
    assert chosen(CELLS, ["weave/*=4"]) == [CELLS[4]]
    assert chosen(CELLS, ["udp"]) == []
