"""The wall time of a run in virtual time, estimated before it begins."""

from __future__ import annotations

from lab.runs.experiment import Cell
from lab.virtual import pace


def test_what_is_sent_takes_time_and_what_waits_takes_hardly_any() -> None:
    latency, tcp, udp = (Cell("o", metric, seconds=100.0) for metric in ("latency", "tcp", "udp"))
    base = pace.wall([], 1000.0, user_space=False)
    assert pace.wall([latency], 1000.0, user_space=False) - base == 10.0
    assert pace.wall([tcp], 1000.0, user_space=False) < pace.wall([udp], 1000.0, user_space=False)
    assert pace.wall([tcp], 1000.0, user_space=True) > 10 * pace.wall([tcp], 1000.0, user_space=False)
    small = Cell("o", "udp1470", seconds=100.0)
    assert pace.wall([small], 1000.0, user_space=False) == pace.wall([udp], 1000.0, user_space=False)
    assert pace.wall([udp], 10.0, user_space=False) < pace.wall([udp], 1000.0, user_space=False)


def test_only_a_run_of_more_than_a_day_is_warned_of() -> None:
    assert pace.warning(1.5 * pace.DAY, boxes=2) == ""
    assert "about 2.0 days" in pace.warning(4 * pace.DAY, boxes=2)
