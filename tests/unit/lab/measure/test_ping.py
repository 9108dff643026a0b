"""ping's output: replies, round trips and losses."""

from __future__ import annotations

import pytest

from lab.errors import MeasureError
from lab.measure import ping
from tests.paths import FIXTURES

OUTPUTS = FIXTURES / "ping"


def test_ping_has_round_trips_and_losses_and_without_an_answer_is_no_measurement() -> None:
    assert ping.parse((OUTPUTS / "summary.txt").read_text()) == {
        "mean_ms": 0.043,
        "max_ms": 0.176,
        "lost_percent": 0.0,
    }
    assert ping.argv("192.0.2.1", 5)[-3:] == ["-c", "50", "192.0.2.1"]
    with pytest.raises(MeasureError, match="got not one answer"):
        ping.parse((OUTPUTS / "no-answer.txt").read_text())
    with pytest.raises(
        MeasureError, match="no summary; the end of its output: ping: connect: Network is unreach"
    ):
        ping.parse("ping: connect: Network is unreachable\n")
    with pytest.raises(MeasureError, match="no summary; the end of its output: nothing"):
        ping.parse("")


def test_round_trips_are_read_off_a_ping() -> None:
    text = "64 bytes from 192.168.1.2: icmp_seq=1 ttl=64 time=22.1 ms\n64 bytes: icmp_seq=2 time=0.05 ms\n"
    assert [reply.rtt for reply in ping.replies(text)] == [22.1, 0.05]
    assert ping.replies("From 192.168.1.1 Destination Host Unreachable") == []


def test_answers_have_their_times_where_ping_was_asked_for_them() -> None:
    (first, *_) = found = ping.replies((OUTPUTS / "answers.txt").read_text())
    assert all(1e9 < reply.at < 2e9 for reply in found)
    assert first.sent == pytest.approx(first.at - first.rtt / 1000)
    assert ping.replies("[17.5] no answer yet for icmp_seq=3\n") == []


def test_the_argv_that_times_answers_counts_requests() -> None:
    assert ping.timestamps_argv("192.0.2.1", 3) == [
        *("ping", "-n", "-D", "-i", "0.1", "-W", "2", "-c", "30", "192.0.2.1")
    ]
