"""What every link did during a sample, from the counters of its shaper."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from lab.measure import link_counters


@dataclass(frozen=True)
class Count:
    packets: int = 0
    bytes: int = 0
    overflow: int = 0
    unexpected: int = 0
    late_counts: dict[float, int] = field(default_factory=dict)
    late_ms: float = 0.0


def test_links_have_what_was_added_and_idle_ones_are_left_out() -> None:
    before = {"AMS-PRG": {"ab": Count(10, 1000, 1), "ba": Count(5, 50)}}
    after = {"AMS-PRG": {"ab": Count(110, 9000, 4, 2), "ba": Count(5, 50)}, "new": {"ab": Count(1, 60)}}
    assert link_counters.difference(before, after) == {
        "AMS-PRG ab": {"packets": 100, "bytes": 8000, "overflow": 3, "unasked": 2},
        "new ab": {"packets": 1, "bytes": 60, "overflow": 0, "unasked": 0},
    }


def test_lateness_is_that_of_the_sample_alone() -> None:
    # given a link that was late before, and is not during the sample
    before = {"l": {"ab": Count(1000, 1, late_counts={0.1: 0, 1.0: 0, inf: 1000})}}
    after = {"l": {"ab": Count(1100, 2, late_counts={0.1: 98, 1.0: 2, inf: 1000})}}
    assert link_counters.difference(before, after)["l ab"]["late_p99_ms"] == 1.0
    # and one that is beyond the last class during it
    worse = {"l": {"ab": Count(1100, 2, late_counts={0.1: 98, 1.0: 0, inf: 1002})}}
    assert link_counters.difference(before, worse)["l ab"]["late_p99_ms"] is None


def test_one_packet_that_was_kept_shows_in_the_mean_and_not_in_the_slowest_hundredth() -> None:
    before = {"l": {"ab": Count(1000, 1, late_counts={0.1: 1000, inf: 0}, late_ms=20.0)}}
    after = {"l": {"ab": Count(1115, 2, late_counts={0.1: 1114, inf: 1}, late_ms=135.0)}}
    late = link_counters.difference(before, after)["l ab"]
    assert (late["late_p99_ms"], late["late_mean_ms"]) == (0.1, 1.0)
    # and of fewer packets than a hundred there is no slowest hundredth
    few = {"l": {"ab": Count(1020, 2, late_counts={0.1: 1019, inf: 1}, late_ms=24.0)}}
    assert link_counters.difference(before, few)["l ab"]["late_mean_ms"] == 0.2
    assert "late_p99_ms" not in link_counters.difference(before, few)["l ab"]
