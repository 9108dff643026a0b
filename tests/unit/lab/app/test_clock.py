"""The clock and the rate that this machine takes: virtual time where its own clock cannot carry the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.app import clock
from lab.app.request import RunRequest, plan_run
from lab.events import Event, Note
from lab.runs import capacity_estimate
from lab.virtual import kernel

Machine = Callable[..., None]
MULTIHOP = RunRequest("multihop", overlays=("underlay", "tinc"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Make this machine one with or without a kernel of virtual time, of so many processors."""

    def make(built: bool = True, processors: int = 2, carried: float | None = None) -> None:
        monkeypatch.setattr(kernel, "find", lambda: object() if built else None)
        monkeypatch.setattr(clock, "missing_programs", list)
        monkeypatch.setattr(capacity_estimate.os, "cpu_count", lambda: processors)
        monkeypatch.setattr(clock.os, "sched_getaffinity", lambda _: set(range(processors)))
        monkeypatch.setattr(capacity_estimate, "recorded", lambda *_: carried)
        monkeypatch.setattr(capacity_estimate, "_recorded", lambda *_: "")

    return make


def choose(request: RunRequest, **more: Any) -> tuple[RunRequest, str]:
    told: list[Event] = []
    found = clock.chosen(request, told.append)
    return found, " ".join(event.text for event in told if isinstance(event, Note))


def test_two_processors_do_not_carry_six_daemons_so_time_is_virtual(machine: Machine) -> None:
    machine()
    found, told = choose(MULTIHOP)
    assert (found.clock, found.daemons, found.costs) == ("virtual", "none", {})
    assert found.rate in clock.RATES
    assert "ends in minutes here" in plan_run(found).conditions()
    assert "in virtual time: the processors would be the limit of tinc; --clock real" in told


def test_without_its_kernel_time_is_real_and_what_would_help_is_said(machine: Machine) -> None:
    machine(built=False)
    found, told = choose(MULTIHOP)
    assert (found.clock, found.rate) == ("real", None)
    assert "although the processors would be the limit of tinc" in told
    assert "lab images build --virtual" in told


def test_a_machine_that_carries_it_keeps_its_own_clock(machine: Machine) -> None:
    machine(processors=64, carried=200.0)
    found, told = choose(MULTIHOP)
    assert (found.clock, found.rate, told) == ("real", 200.0, "")


def test_a_rate_that_was_asked_for_stays_by_both_clocks(machine: Machine) -> None:
    for processors in (2, 64):
        machine(processors=processors, carried=200.0)
        assert choose(RunRequest("multihop", overlays=("tinc",), rate="50"))[0].rate == "50"


def test_weave_without_open_vswitch_needs_virtual_time(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overlays.weave.overlay import Weave

    machine(processors=64)
    monkeypatch.setattr(Weave, "obtainable", lambda self: None)
    monkeypatch.setattr(clock, "_has", lambda module: False)
    request = RunRequest("multihop", overlays=("weave",))
    assert choose(request)[0].costs == {"upcall": 100.0}
    assert "each upcall costs 100 µs" in choose(request)[1]
    for there, taken in ((False, "virtual"), (True, "real")):
        monkeypatch.setattr(clock, "_has", lambda module, there=there: there and module == "openvswitch")
        assert choose(request)[0].clock == taken
    assert choose(RunRequest("multihop", overlays=("weave:mode=sleeve",)))[0].clock == "real"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (RunRequest("cpu", overlays=("tinc",)), "in virtual time work takes no time"),
        (RunRequest("multihop", overlays=("tinc",), keep=True), "--keep is for real time"),
        (RunRequest("multihop", overlays=("tinc",), shaper="wire"), "--shaper wire is for real time"),
    ],
)
def test_what_cannot_run_in_virtual_time_does_not(request_: RunRequest, words: str, machine: Machine) -> None:
    machine()
    found, told = choose(request_)
    assert found.clock == "real"
    assert words in told


def test_a_slow_sample_has_a_lower_rate_and_paper_has_the_testbeds(machine: Machine) -> None:
    machine()
    few = choose(RunRequest("multihop", overlays=("tinc",), only=("latency",)))[0]
    many = choose(RunRequest("multihop", overlays=("tinc",), bring_ups=5))[0]
    assert few.rate == 1000
    assert isinstance(many.rate, float)
    assert many.rate < 1000
    assert choose(RunRequest("multihop", overlays=("tinc",), profile="paper"))[0].rate == 1000
