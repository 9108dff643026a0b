"""Order, repetition and the time that is left."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.experiment import Cell
from lab.runs.plan import ATTEMPTS, Task, chosen, order, wanted
from lab.runs.progress import OVERHEAD, Progress
from lab.runs.sample import Verdict
from tests.unit.lab.runs.test_run_folder import sample

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


def test_spares_come_last_and_one_per_round() -> None:
    tasks = order(CELLS, 1, "o", extra=2)
    main = sum(cell.repetitions for cell in CELLS)
    assert tasks[:main] == order(CELLS, 1, "o")
    first, second = tasks[main : main + len(CELLS)], tasks[main + len(CELLS) :]
    for spare, row in ((1, first), (2, second)):
        assert {(t.cell.key, t.repetition) for t in row} == {
            (cell.key, cell.repetitions + spare) for cell in CELLS
        }
    # in an order of their own each, as every round
    assert [t.cell for t in first] != [t.cell for t in second]


def test_a_sample_that_does_not_count_is_made_up_for() -> None:
    # given a cell of three repetitions, one of which did not count
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=3)
    spoilt = {"verdict": Verdict(state="emulator-bound")}
    progress = Progress([cell], [sample(1, **spoilt)], extra=2)
    assert progress.asked(cell) == 3, "none that counts is known yet: more would be alike"
    progress.add(sample(2))
    progress.add(sample(3))
    # then it is finished, and one more is to be measured
    assert progress.finished(cell)
    assert (progress.measured, progress.total, progress.asked(cell)) == (3, 4, 4)
    assert not progress.done(Task(cell, 4))
    assert progress.done(Task(cell, 5))
    # and if that one does not count either another, which is the last
    progress.add(sample(4, **spoilt))
    assert not progress.done(Task(cell, 5))
    progress.add(sample(5, **spoilt))
    assert (progress.measured, progress.total) == (5, 5)
    assert progress.done(Task(cell, 6))


def test_without_spares_or_without_need_nothing_is_added() -> None:
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=2)
    bound = sample(1, verdict=Verdict(state="host-bound"))
    assert Progress([cell], [bound, sample(2)], extra=2).total == 2
    spoilt = sample(1, verdict=Verdict(state="broken"))
    assert Progress([cell], [spoilt, sample(2)]).total == 2
    assert Progress([cell], [spoilt, sample(2, verdict=Verdict(state="broken"))], extra=2).total == 2


def test_cells_are_chosen_by_a_part_of_their_key() -> None:
    assert chosen(CELLS, []) == CELLS
    assert chosen(CELLS, ["to=3"]) == [CELLS[3]]
    assert chosen(CELLS, ["to=1", "tcp/to=2"]) == CELLS[1:3]
    assert chosen(CELLS, ["weave/*=4"]) == [CELLS[4]]
    assert chosen(CELLS, ["udp"]) == []


def test_a_key_does_not_depend_on_the_order_of_parameters() -> None:
    assert Cell("o", "m", {"b": 1, "a": 2}).key == Cell("o", "m", {"a": 2, "b": 1}).key == "o/m/a=2/b=1"


def test_the_time_left_is_measuring_and_what_samples_took_besides() -> None:
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=3, seconds=2.0, warmup=1.0)
    progress = Progress([cell])
    assert progress.left == 3 * (3.0 + OVERHEAD)
    progress.add(sample(1, seconds=3.4))
    assert (progress.measured, progress.total) == (1, 3)
    assert abs(progress.left - 2 * 3.4) < 1e-9


def test_progress_goes_by_outcomes() -> None:
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=2)
    failed = sample(1, outcome="failed", error="no")
    progress = Progress([cell], [failed])
    assert not progress.done(Task(cell, 1))
    assert progress.attempts(Task(cell, 1)) == 1
    progress.add(sample(1, attempt=2))
    progress.add(sample(2))
    assert progress.finished(cell)
