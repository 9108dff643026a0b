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
        ({"hosts": {"AMS": {"throttled_s": 2.0 * v.THROTTLED}}}, "valid"),
        ({"hosts": {"AMS": {"throttled_s": 2.0 * v.THROTTLED + 0.01}}}, "host-bound"),
    ],
)
def test_the_machine_and_its_hosts(machine: dict[str, Any], state: str) -> None:
    assert judge(machine) == state


@pytest.mark.parametrize(
    ("link", "state"),
    [
        ({"overflow": 5000}, "valid"),  # what a full queue before the rate drops is asked for
        ({"unasked": 1}, "emulator-bound"),
        ({"late_p99_ms": v.LATE_MS}, "valid"),
        ({"late_p99_ms": v.LATE_MS * 2}, "emulator-bound"),
        ({"late_p99_ms": None}, "emulator-bound"),  # beyond the last class
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


def test_the_worst_state_is_taken_and_every_reason_is_kept() -> None:
    hosts = {"AMS": {"throttled_s": 1.0}}
    found = verdict(2.0, {**FINE, "busy": 0.99, "hosts": hosts}, {"l ab": {**LINK, "unasked": 3}})
    assert found.state == "emulator-bound"
    assert found.reasons == [
        "link l ab dropped 3 packets that nobody asked it to drop",
        "the machine's CPUs were 99% busy",
        "AMS was held at its CPU quota 50% of the time",
    ]
