"""Schedules and traces of links: what is read, and everything that is wrong with them. No root."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import TopologyError
from lab.topology import schedule
from lab.topology.schedule import Change

LINKS = {"AMS-PRG": ("AMS", "PRG")}


@pytest.mark.parametrize(
    ("written", "meant"),
    [(30, 30.0), ("30s", 30.0), ("500 ms", 0.5), ("2min", 120.0), ("1.5", 1.5), (0, 0.0)],
)
def test_times_have_units(written: Any, meant: float) -> None:
    assert schedule.seconds(written) == meant


@pytest.mark.parametrize("written", ["soon", "-3s", -1, None, True, float("nan"), "3h"])
def test_what_is_no_time(written: Any) -> None:
    assert schedule.seconds(written) is None


def test_changes_are_in_the_order_of_time() -> None:
    later, first = {"at": "1min", "link": "AMS-PRG", "down": True}, {"at": 30, "link": "AMS-PRG", "loss": 5}

    assert schedule.faults([later, first], LINKS) == []
    assert schedule.read([later, first]) == (
        Change(30.0, "AMS-PRG", values=(("loss", 5),)),
        Change(60.0, "AMS-PRG", "down"),
    )
    assert str(Change(1.0, "AMS-PRG", "set", "AMS", (("loss", 5), ("rate", None)))) == (
        "AMS-PRG from AMS: loss 5, rate none"
    )


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"at": "x", "loss": 1}, "at 'x' is no time, as 30 or '30s' is"),
        ({"link": "AMS-PRK", "loss": 1}, "unknown link 'AMS-PRK' (did you mean 'AMS-PRG'?)"),
        ({"from": "BRA", "loss": 1}, "from 'BRA': that is neither of the hosts of AMS-PRG"),
        ({}, "it must set parameters, or do one of down, up, reset"),
        ({"down": True, "loss": 1}, "it must set parameters, or do one of down, up, reset"),
        ({"down": True, "up": True}, "it must set parameters, or do one of down, up, reset"),
        ({"down": False}, "down is true or absent"),
        ({"down": True, "from": "AMS"}, "down is for a whole link"),
        ({"los": 1}, "unknown attribute 'los' (did you mean 'loss'?)"),
        ({"loss": 101}, "loss 101 percent is not between 0 and 99.9"),
        ({"rtt": -1}, "rtt -1 ms is not between 0 and 10000"),
        ({"loss": None}, "loss has no value; only rate, burst, queue can be set to none"),
        ({"rtt": None}, "rtt has no value; only rate, burst, queue can be set to none"),
    ],
)
def test_every_fault_of_a_change_is_told(entry: dict[str, Any], fault: str) -> None:
    assert schedule.faults([{"at": 1, "link": "AMS-PRG", **entry}], LINKS) == [f"schedule, change 1: {fault}"]


def test_a_schedule_may_lose_all_and_take_limits_away() -> None:
    entries = [{"at": 1, "link": "AMS-PRG", "loss": 100, "rate": None, "burst": None}]

    assert schedule.faults(entries, LINKS) == []
    assert schedule.faults("soon", LINKS) == ["the schedule is no list of changes"]


def test_a_trace_is_rows_of_what_was_recorded() -> None:
    rows = schedule.trace("time, delay ,rate,loss\n0,20,50,\n\n0.5,25,,1\n", "x.csv")

    assert rows == [{"at": 0.0, "delay": 20.0, "rate": 50.0}, {"at": 0.5, "delay": 25.0, "loss": 1.0}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "time is missing"),
        ("delay,rate\n1,2\n", "time is missing"),
        ("time,lag\n1,2\n", "lag is unknown"),
        ("time,delay\n1,2\nx,3\n", "x.csv:3: could not convert"),
        ("time,delay\n1,-2\n", "x.csv:2: delay -2 ms is not between 0 and 5000"),
        ("time,delay\n2,2\n1,3\n", "x.csv:3: its time is before that of the row above"),
        ("time,delay\n,3\n", "x.csv:2: its time is no number"),
    ],
)
def test_what_is_no_trace_is_told_by_row(text: str, fault: str) -> None:
    with pytest.raises(TopologyError, match=fault.replace("(", ".")):
        schedule.trace(text, "x.csv")
