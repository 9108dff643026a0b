"""The kernel's clocks: even, set, asleep and bent."""

from __future__ import annotations

from lab.measure import clocks


def test_clocks_that_went_on_evenly() -> None:
    found = clocks.difference(clocks.read(), clocks.read())
    assert abs(found["set_ms"]) < 1
    assert abs(found["slept_ms"]) < 1


def test_a_clock_that_was_set_a_machine_that_slept_and_time_that_was_bent() -> None:
    before = clocks.Clocks(wall=1e9, monotonic=100.0, raw=100.0, boot=100.0)
    after = clocks.Clocks(wall=1e9 + 2 - 0.5, monotonic=102.0, raw=101.9, boot=107.0)
    assert clocks.difference(before, after) == {"set_ms": -500.0, "slept_ms": 5000.0, "bent": 0.05263}


def test_time_is_not_bent_by_less_than_reading_the_clocks_took() -> None:
    # given a sample of 14 ms on a machine without a free processor
    before = clocks.Clocks(wall=1e9, monotonic=100.0, raw=100.0, boot=100.0, within=1e-4)
    after = clocks.Clocks(wall=1e9 + 0.014, monotonic=100.014, raw=100.01386, boot=100.014, within=5e-5)
    assert clocks.difference(before, after)["bent"] == 0.0
    # and one of two seconds, bent by more than that
    later = clocks.Clocks(wall=1e9 + 2, monotonic=102.0, raw=101.98, boot=102.0, within=5e-5)
    assert clocks.difference(before, later)["bent"] == 0.0101
