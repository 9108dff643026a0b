"""Progress of a run: what is there, what is still to be measured, and the time that is left."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.experiment import Cell
from lab.runs.plan import Task
from lab.runs.progress import OVERHEAD, Progress
from lab.runs.sample import State, Verdict
from tests.unit.lab.runs.test_run_folder import sample


@given(st.lists(st.tuples(st.sampled_from(["valid", "emulator-bound", "broken"]), st.booleans()), min_size=6))
def test_how_often_a_cell_is_measured_does_not_depend_on_what_was_measured(
    found: list[tuple[State, bool]],
) -> None:
    # given a cell of three repetitions in two blocks, and any verdicts and collapses of its samples
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=3)
    progress = Progress([cell], bring_ups=2)
    places = enumerate(product((1, 2), (1, 2, 3)))
    for (state, collapsed), (seen, (bring_up, number)) in zip(found, places, strict=False):
        outcome: dict[str, Any] = {"outcome": "failed", "collapsed": True} if collapsed else {}
        assert not progress.done(Task(cell, number, bring_up))
        assert (progress.measured, progress.total) == (seen, 6)
        progress.add(sample(number, bring_up=bring_up, verdict=Verdict(state=state), **outcome))
        assert progress.done(Task(cell, number, bring_up))
    assert progress.finished(cell)


def test_a_block_is_finished_by_itself() -> None:
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=1)
    progress = Progress([cell], [sample(1, bring_up=2)], bring_ups=2)
    assert progress.finished(cell, 2)
    assert not progress.finished(cell, 1)
    assert not progress.finished(cell)


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
