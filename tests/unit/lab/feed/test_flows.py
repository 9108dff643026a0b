"""Links against what was asked of them: every fault is found, and chance is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.emulation.links.gauge import Flow
from lab.emulation.links.link import LinkState, Shape
from lab.feed import flows
from lab.feed.flows import WRONG, LinkHistory, Measured, measured

STATE = LinkState("AMS-PRG", 1, Shape(10.0, rate=50.0), Shape(10.0, rate=50.0))
GOOD = Measured(40.0, 3000.0, 0.0, 0, 0, 0, 0, 0.05, 30_000)
START = Flow(100, 100_000, 0, 0, 0, 0, 0, 50, 5.0)


def test_figures_are_those_between_two_readings() -> None:
    now = Flow(1100, 1_350_000, 3, 4500, 7, 20, 2, 1050, 55.0)
    got = measured(START, now, START, 2.0)
    assert got.rate == pytest.approx(5.0)
    assert (got.packets, got.waiting, got.waiting_bytes, got.drops) == (500, 3, 4500, 7)
    assert got.loss == pytest.approx(100 * 20 / 1020)
    assert got.late == pytest.approx(0.05)
    assert got.unexpected == 2


def test_a_count_of_32_bits_that_began_again_is_no_negative_rate() -> None:
    before, now = START._replace(packets=(1 << 32) - 10), START._replace(packets=20)
    assert measured(before, now, before, 1.0).packets == 30


def test_a_loss_is_not_told_of_a_few_packets_nor_lateness_of_none() -> None:
    got = measured(START, START._replace(packets=105, lost=1), START, 1.0)
    assert (got.loss, got.late) == (None, None)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"unexpected": 3}, "dropped 3 packets"),
        ({"late": 0.9}, "0.9 ms late"),
        ({"rate": 60.0}, "carried 60"),
        ({"loss": 1.0}, "lost 1 %"),
    ],
)
def test_each_fault_of_a_direction_is_found(fault: dict[str, float], words: str) -> None:
    assert flows.direction_fault(STATE.ab, GOOD) == ""
    assert words in flows.direction_fault(STATE.ab, replace(GOOD, **fault))


def test_a_loss_within_chance_is_no_fault_and_one_beyond_is() -> None:
    shape = Shape(10.0, loss=1.0)
    assert flows.direction_fault(shape, replace(GOOD, loss=1.1)) == ""
    assert "asked for a loss of 1 %" in flows.direction_fault(shape, replace(GOOD, loss=2.0))
    assert flows.direction_fault(shape, replace(GOOD, loss=2.5, carried=100)) == ""


def test_a_round_trip_is_a_fault_only_when_it_is_wrong_again_and_again() -> None:
    history = LinkHistory()
    told = [history.judge(STATE, (GOOD, GOOD), 25.0) for _ in range(WRONG)]
    assert [keeps for keeps, _ in told] == [1] * (WRONG - 1) + [0]
    assert told[-1][1] == "was asked for 20 ms and has 25"
    assert history.judge(STATE, (GOOD, GOOD), 20.3) == (1, "")


def test_a_round_trip_behind_a_queue_is_no_fault() -> None:
    history, full = LinkHistory(), replace(GOOD, waiting=40)
    assert [history.judge(STATE, (full, GOOD), 60.0)[0] for _ in range(5)] == [1] * 5


def test_a_link_of_which_nothing_is_known_is_said_to_be_so() -> None:
    silent = replace(GOOD, rate=0.0, packets=0.0, loss=None, late=None, carried=0)
    assert LinkHistory().judge(STATE, (silent, silent), None)[0] is None


def test_settings_of_the_way_back_are_told_only_where_they_differ() -> None:
    assert "asked_back" not in flows.asked(STATE)
    other = replace(STATE, ba=Shape(30.0), down=True)
    assert flows.asked(other)["asked_back"]["delay_ms"] == 30.0
    assert flows.asked(other)["asked"]["down"] is True


def test_the_lateness_that_was_last_told_stays_while_packets_pass() -> None:
    told, unknown = flows.row(0, 0, GOOD, None, 1), replace(GOOD, late=None)
    assert flows.with_lateness(unknown, told).late == GOOD.late
    assert flows.with_lateness(replace(GOOD, late=0.2), told).late == 0.2
    assert flows.with_lateness(replace(unknown, packets=0.0), told).late is None
    assert flows.with_lateness(unknown, None).late is None


def test_a_row_has_short_figures() -> None:
    row = flows.row(7, 1, replace(GOOD, rate=12.3456789, packets=2000.0), None, None)
    assert row == [7, 1, 12.35, 2000, None, 0.0, 0, 0, 0, 0.05, None]
