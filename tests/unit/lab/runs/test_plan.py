"""The order of samples, and which of them are wanted."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.experiment import Cell
from lab.runs.plan import ATTEMPTS, Task, chosen, order, wanted

CELLS = [Cell("weave", "tcp", {"to": n}, repetitions=n % 3 + 1, seconds=2.0, warmup=1.0) for n in range(6)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers())
def test_an_order_has_every_repetition_once_and_round_after_round(counts: list[int], seed: int) -> None:
    cells = [Cell("o", "m", {"n": n}, repetitions=count) for n, count in enumerate(counts)]
    tasks = order(cells, seed, "o")
    assert Counter((t.cell.key, t.repetition) for t in tasks) == Counter(
        (cell.key, n) for cell in cells for n in range(1, cell.repetitions + 1)
    )
    assert [t.repetition for t in tasks] == sorted(t.repetition for t in tasks)
    assert tasks == order(cells, seed, "o")


def test_the_order_is_random_by_seed_overlay_and_round() -> None:
    cells = [Cell("o", "m", {"n": n}, repetitions=2) for n in range(20)]
    one = [t.cell.key for t in order(cells, 1, "o")]
    assert one[:20] != [cell.key for cell in cells]
    assert one[:20] != one[20:]
    assert one != [t.cell.key for t in order(cells, 2, "o")]
    assert one != [t.cell.key for t in order(cells, 1, "p")]


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


def test_extra_repetitions_come_last_and_one_per_round() -> None:
    tasks = order(CELLS, 1, "o", extra=2)
    main = sum(cell.repetitions for cell in CELLS)
    assert tasks[:main] == order(CELLS, 1, "o")
    first, second = tasks[main : main + len(CELLS)], tasks[main + len(CELLS) :]
    for number, row in ((1, first), (2, second)):
        assert {(t.cell.key, t.repetition) for t in row} == {
            (cell.key, cell.repetitions + number) for cell in CELLS
        }
    # in an order of their own each, as every round
    assert [t.cell for t in first] != [t.cell for t in second]


def test_cells_are_chosen_by_a_part_of_their_key() -> None:
    assert chosen(CELLS, []) == CELLS
    assert chosen(CELLS, ["to=3"]) == [CELLS[3]]
    assert chosen(CELLS, ["to=1", "tcp/to=2"]) == CELLS[1:3]
    assert chosen(CELLS, ["weave/*=4"]) == [CELLS[4]]
    assert chosen(CELLS, ["udp"]) == []
