"""The clock and the rate of a run that leaves both to this machine (``--clock auto``)."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from lab.app import virtual
from lab.app.request import TESTBED_RATE, RunPlan, RunRequest, load_experiment, plan_run
from lab.emulation.registry import DOCKER, NONE
from lab.errors import LabError
from lab.events import Emit, Note, silent
from lab.runs import capacity_estimate
from lab.virtual import kernel
from lab.virtual.box import missing_programs
from overlays.base import Overlay

AUTO = "auto"
#: Mbit/s that a run in virtual time may have, and the wall time (s) in which it is to end on this machine.
RATES = (1000.0, 500.0, 250.0, 100.0, 50.0, 20.0, 10.0)
WALL = 360.0
#: Prices of work (µs) where an overlay's fast mode needs a module: with free processors, what costs processor
#: time does not show. An upcall of Open vSwitch took 440 µs on a slow kernel; faster ones take less.
PRICES = {"openvswitch": {"upcall": 100.0}}


def chosen(request: RunRequest, emit: Emit = silent) -> RunRequest:
    """Return a request with the clock and the rate that this machine can give; `emit` is told why.

    Virtual time is for what this machine cannot carry by its own clock, where its kernel is built already.
    A rate that was asked for stays.

    Raises:
        LabError: the request names what there is not.
    """
    plan = plan_run(replace(request, rate=None))
    if why := _reason(plan):
        if not (lacking := _lacking(request)):
            made = replace(request, clock="virtual", daemons=NONE, costs=_prices(plan))
            made = _with_rate(made, _rate_in_virtual_time(made), "the highest that ends in minutes here")
            emit(Note(f"in virtual time: {why}; --clock real measures by this machine's clock"))
            for name, price in made.costs.items():
                emit(
                    Note(
                        f"each {name} costs {price:g} µs; --clock virtual without --cost has free processors"
                    )
                )
            return made
        emit(Note(f"by this machine's clock, although {why}: {lacking}"))
    return _with_rate(request, _rate_that_was_carried(plan), "what this machine was found to carry")


def _with_rate(request: RunRequest, rate: float | None, why: str) -> RunRequest:
    if request.rate is not None or rate is None:
        return request
    return replace(request, rate=rate, rate_why=why)


def _reason(plan: RunPlan) -> str:
    """Return half a sentence on what this machine cannot carry by its own clock; "" if it can."""
    there = plan.obtainable()
    for name, overlay in there.items():
        if overlay.module and not _has(overlay.module):
            return f"this kernel has no {overlay.module}, which the fast mode of {name} needs"
    limited = [name for name, overlay in there.items() if _too_much(name, overlay, plan)]
    return f"the processors would be the limit of {' and '.join(limited)}" if limited else ""


def _too_much(name: str, overlay: Overlay, plan: RunPlan) -> bool:
    return bool(capacity_estimate.warning(name, overlay, plan.topology.with_rate(TESTBED_RATE)))


def _prices(plan: RunPlan) -> dict[str, float]:
    modules = {overlay.module for overlay in plan.obtainable().values()}
    return {name: price for module in modules for name, price in PRICES.get(module, {}).items()}


def _has(module: str) -> bool:
    if Path("/sys/module", module).exists():
        return True
    try:
        return subprocess.run(["modprobe", "-n", "-q", module], check=False).returncode == 0
    except OSError:
        return False


def _lacking(request: RunRequest) -> str:
    """Return half a sentence on why a request has no virtual time; "" where it can have it."""
    if reason := load_experiment(request.experiment).only_in_real_time:
        return reason
    if name := request.option_of_real_time() or ("--daemons" if request.daemons != DOCKER else ""):
        return f"{name} is for real time"
    if missing := missing_programs():
        return f"virtual time needs {', '.join(missing)}"
    try:
        there = kernel.find() is not None
    except LabError as error:
        return str(error)
    return "" if there else "the kernel of virtual time is not built ('lab images build --virtual' does it)"


def _rate_in_virtual_time(request: RunRequest) -> float:
    """Return the highest of `RATES` (Mbit/s) with which ``quick`` ends in `WALL`, or the lowest of them.

    Another profile has the testbed's rate.
    """
    if request.profile != "quick":
        return TESTBED_RATE
    plan, boxes = plan_run(request), request.boxes or len(os.sched_getaffinity(0))
    cells = plan.measurable_cells(request.only)
    return next((rate for rate in RATES if virtual.wall(plan, cells, rate) / boxes <= WALL), RATES[-1])


def _rate_that_was_carried(plan: RunPlan) -> float | None:
    """Return what this machine was found to carry of all overlays that it has (Mbit/s); None if unknown."""
    found = [capacity_estimate.recorded(name, plan.topology) for name in plan.obtainable()]
    known = [rate for rate in found if rate is not None]
    return min(known) if known and len(known) == len(found) else None
