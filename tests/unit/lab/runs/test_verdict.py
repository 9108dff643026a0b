"""Each reason that takes a sample's validity, just below and just above its threshold."""

from __future__ import annotations

from typing import Any

import pytest

from lab.runs import verdict as v
from lab.runs.verdict import verdict

FINE: dict[str, Any] = {"busy": 0.4, "steal": 0.0, "pressure": 0.1, "hosts": {"AMS": {"throttled_s": 0.0}}}
LINK: dict[str, Any] = {"packets": 100, "overflow": 0, "unasked": 0, "late_p99_ms": 0.2}


def judge(machine: dict[str, Any] | None = None, link: dict[str, Any] | None = None) -> str:
    return verdict(2.0, {**FINE, **(machine or {})}, {"AMS-PRG ab": {**LINK, **(link or {})}}).state


def test_nothing_to_say_is_valid() -> None:
    assert verdict(2.0, FINE, {"AMS-PRG ab": LINK}) == v.Verdict(state="valid", reasons=[])
    assert verdict(1.0, {}, {}).state == "valid"


@pytest.mark.parametrize(
    ("machine", "state"),
    [
        ({"busy": v.BUSY}, "valid"),
        ({"busy": v.BUSY + 0.01}, "emulator-bound"),
        ({"steal": v.STEAL}, "valid"),
        ({"steal": v.STEAL + 0.01}, "emulator-bound"),
        ({"pressure": 0.9, "busy": v.PRESSURE_BUSY}, "valid"),
        ({"pressure": v.PRESSURE + 0.01, "busy": v.PRESSURE_BUSY + 0.01}, "emulator-bound"),
        ({"pressure": None, "busy": 0.9}, "valid"),
        ({"full": v.FULL}, "valid"),
        ({"full": v.FULL + 0.01}, "emulator-bound"),
        ({"pressure_memory": v.MEMORY}, "valid"),
        ({"pressure_memory": v.MEMORY + 0.01}, "emulator-bound"),
        ({"dropped": 100 * v.DROPPED}, "valid"),
        ({"dropped": 1}, "emulator-bound"),  # of a hundred packets
        ({"clock": {"set_ms": -v.CLOCK_MS, "slept_ms": v.CLOCK_MS, "bent": -v.BENT}}, "valid"),
        ({"clock": {"set_ms": -v.CLOCK_MS - 1}}, "broken"),
        ({"clock": {"set_ms": v.CLOCK_MS + 1}}, "broken"),
        ({"clock": {"slept_ms": v.CLOCK_MS + 1}}, "broken"),
        ({"clock": {"bent": v.BENT + 0.001}}, "broken"),
        ({"clock": {"bent": -v.BENT - 0.001}}, "broken"),
        ({"hosts": {"AMS": {"throttled_s": 2.0 * v.THROTTLED}}}, "valid"),
        ({"hosts": {"AMS": {"throttled_s": 2.0 * v.THROTTLED + 0.01}}}, "host-bound"),
    ],
)
def test_the_machine_and_its_hosts(machine: dict[str, Any], state: str) -> None:
    assert judge(machine) == state


@pytest.mark.parametrize("seconds", [0.5, 1.0, 120.0])
def test_lateness_has_one_limit_however_long_a_sample_lasts(seconds: float) -> None:
    late = {"AMS-PRG ab": {**LINK, "late_mean_ms": 8.0, "late_p99_ms": None}}
    assert verdict(seconds, FINE, late).state == "emulator-bound"


def test_a_link_that_took_no_part_in_a_sample_may_be_late_and_may_not_drop() -> None:
    late = {"packets": 4, "unasked": 0, "late_mean_ms": 2.0}
    assert verdict(2.0, FINE, {"AMS-PRG ab": LINK, "LJU-MIL ab": late}).state == "valid"
    part = {**late, "packets": 10}
    assert verdict(2.0, FINE, {"AMS-PRG ab": LINK, "LJU-MIL ab": part}).state == "emulator-bound"
    assert verdict(2.0, FINE, {"AMS-PRG ab": LINK, "LJU-MIL ab": {**late, "unasked": 1}}).state != "valid"


@pytest.mark.parametrize(
    ("link", "state"),
    [
        ({"overflow": 5000}, "valid"),  # what a full queue before the rate drops is asked for
        ({"unasked": 1}, "emulator-bound"),
        ({"late_p99_ms": v.LATE_MS}, "valid"),
        ({"late_p99_ms": v.LATE_MS * 2}, "emulator-bound"),
        ({"late_p99_ms": None}, "emulator-bound"),  # beyond the last class
        ({"late_mean_ms": v.LATE_MEAN_MS}, "valid"),
        ({"late_mean_ms": v.LATE_MEAN_MS * 2}, "emulator-bound"),
    ],
)
def test_the_links(link: dict[str, Any], state: str) -> None:
    assert judge(link=link) == state


def test_a_mode_that_changes_or_other_trouble_breaks_a_sample() -> None:
    fast, sleeve = {"mode": "fastdp"}, {"mode": "sleeve"}
    changed = verdict(1, FINE, {}, v.changes(fast, fast, sleeve))
    assert changed.state == "broken"
    assert changed.reasons == ["mode went from fastdp to sleeve during the sample"]
    # what is measured after it is measured in another mode than was asked for
    assert v.changes(fast, sleeve, sleeve) == ["mode was sleeve, no longer fastdp"]
    assert v.changes(fast, fast, fast) == []
    assert verdict(1, FINE, {}, trouble=("a peer was lost",)).reasons == ["a peer was lost"]


def test_the_reason_is_in_words() -> None:
    def said(**machine: Any) -> list[str]:
        return verdict(2.0, {**FINE, **machine}, {"AMS-PRG ab": LINK}).reasons

    assert said(full=0.5) == ["the machine had no CPU left for 50% of the sample"]
    assert said(busy=1.0, full=1.0) == ["the machine's CPUs were 100% busy"]
    assert said(busy=1.0, nice=0.6) == [
        "the machine's CPUs were 100% busy, 60% with programs of low priority"
    ]
    assert said(dropped=7) == ["the machine dropped 7 packets because no CPU was free in time"]
    assert said(clock={"set_ms": -3600000.0}) == [
        "this machine's clock was set -3600000 ms during the sample"
    ]
    assert said(clock={"slept_ms": 5000.0}) == ["this machine slept for 5000 ms during the sample"]
    assert said(clock={"bent": -0.05}) == ["this machine's clock ran 5.0% too slow"]


def test_where_no_packet_was_carried_a_dropped_one_still_counts() -> None:
    assert verdict(2.0, {**FINE, "dropped": 1}, {}).state == "emulator-bound"
    assert verdict(2.0, {**FINE, "dropped": 0}, {}).state == "valid"


def test_a_host_at_its_quota_does_not_hide_that_the_machine_had_no_cpu_left() -> None:
    bound = {"hosts": {"AMS": {"throttled_s": 1.0}}}
    assert judge(bound) == "host-bound"
    assert judge({**bound, "busy": 0.99}) == "emulator-bound"
    assert judge({**bound, "full": 0.9}) == "emulator-bound"
    assert judge(bound, {"late_p99_ms": 5.0}) == "emulator-bound"
    assert judge({**bound, "clock": {"set_ms": 10.0}}) == "broken"


def test_the_worst_state_is_taken_and_every_reason_is_kept() -> None:
    hosts = {"AMS": {"throttled_s": 1.0}}
    found = verdict(2.0, {**FINE, "busy": 0.99, "hosts": hosts}, {"l ab": {**LINK, "unasked": 3}})
    assert found.state == "emulator-bound"
    assert found.reasons == [
        "link l ab dropped 3 packets that it was not told to drop",
        "the machine's CPUs were 99% busy",
        "AMS was held at its CPU quota 50% of the time",
    ]
