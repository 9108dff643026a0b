"""Progress of a run: what is there, what is still to be measured, and the time that is left."""

from __future__ import annotations

from lab.runs.experiment import Cell
from lab.runs.plan import Task
from lab.runs.progress import OVERHEAD, Progress
from lab.runs.sample import Verdict
from tests.unit.lab.runs.test_run_folder import sample


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


def test_without_extra_repetitions_or_without_need_nothing_is_added() -> None:
    cell = Cell("fake", "x", {"to": "PRG"}, repetitions=2)
    bound = sample(1, verdict=Verdict(state="host-bound"))
    assert Progress([cell], [bound, sample(2)], extra=2).total == 2
    spoilt = sample(1, verdict=Verdict(state="broken"))
    assert Progress([cell], [spoilt, sample(2)]).total == 2
    assert Progress([cell], [spoilt, sample(2, verdict=Verdict(state="broken"))], extra=2).total == 2


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
