"""Calibration: what a link was measured to do, held against what was asked. No root."""

from __future__ import annotations

from typing import Any

import pytest

from lab.emulation.links import calibration
from lab.emulation.links.link import LinkState, Shape

LINE = LinkState("A-B", 1, Shape(10.0, rate=100.0), Shape(10.0, rate=100.0, loss=2.0))


def told(**found: Any) -> calibration.Row:
    """A row of a link that is as asked, but for what is found."""
    way = {"sent": 300, "came": 300, "ms": [10.0] * 300, "rate": 99.9}
    back = {**way, "came": 294}
    answer = {"rtt": [19.9, 20.0, 20.1] * 40, "ab": {**way, **found}, "ba": back}
    return calibration.row(LINE, answer)


def test_a_link_that_is_as_asked_has_no_faults() -> None:
    row = told()

    assert calibration.faults(LINE, row) == []
    assert (row["asked_ms"], row["median_ms"], row["p1_ms"], row["p99_ms"]) == (20.0, 20.0, 19.9, 20.1)
    assert (row["ab_mbit"], row["ab_lost_percent"], row["ba_lost_percent"]) == (99.9, 0.0, 2.0)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"rate": 90.0}, "A-B (ab) was asked for 100 Mbit/s and has 90"),
        ({"rate": 103.0}, "A-B (ab) was asked for 100 Mbit/s and has 103"),
        ({"came": 299}, "A-B (ab) was asked for a loss of 0 % and lost 0.333"),
    ],
)
def test_every_figure_that_is_off_is_told(found: dict[str, Any], fault: str) -> None:
    assert calibration.faults(LINE, told(**found)) == [fault]


def test_a_median_that_is_off_is_told_and_jitter_and_bursts_allow_for_more() -> None:
    off = {**told(), "median_ms": 20.6}

    assert calibration.faults(LINE, off) == ["A-B was asked for 20 ms and has 20.6"]
    assert calibration.faults(LINE.changed(("ab",), jitter=2.0), off) == []
    bursty = LINE.changed(("ba",), loss=2.0, burst=20.0)
    assert calibration.faults(bursty, {**told(), "ba_lost_percent": 9.0}) == []
    silent = {key: value for key, value in told().items() if key != "median_ms"}
    assert calibration.faults(LINE, silent) == ["A-B was asked for 20 ms and answers nothing"]
