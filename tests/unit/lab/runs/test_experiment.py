"""The contract of an experiment."""

from __future__ import annotations

from lab.runs.experiment import Cell


def test_a_key_does_not_depend_on_the_order_of_parameters() -> None:
    assert Cell("o", "m", {"b": 1, "a": 2}).key == Cell("o", "m", {"a": 2, "b": 1}).key == "o/m/a=2/b=1"
