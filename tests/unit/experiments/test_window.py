"""The window: its sizes."""

from __future__ import annotations

from experiments import window
from tests.unit.experiments.helpers import grid


def test_windows_double_from_2000_to_1024000_bytes() -> None:
    assert [c.params["window"] for c in grid(window.Window())][:2] == [2000, 4000]
    assert grid(window.Window())[-1].params["window"] == 1_024_000
