"""lab emulate: run an experiment on an emulated network of Docker hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli.experiment_options import ExperimentOptions, takes_experiment_options
from lab.cli.options import (
    Boxes,
    Certificates,
    ClockName,
    Costs,
    Daemons,
    DryRun,
    ExperimentName,
    IgnoreCalibration,
    Insecure,
    KeepUp,
    LargestComponent,
    On,
    OnLab,
    PromptFirst,
    RateOrAuto,
    ShaperName,
    Sites,
    TopologyOption,
)
from lab.cli.process import need_root, wait
from lab.cli.topologies import counted, tell
from lab.errors import UnknownName, UsageError
from lab.topology import sites

if TYPE_CHECKING:
    from lab.app.request import RunPlan, RunRequest
    from lab.spread.clusters import Where


@takes_experiment_options
def command(
    experiment: ExperimentName,
    *,
    topology: TopologyOption = "",
    site: Sites = None,
    largest_component: LargestComponent = False,
    options: ExperimentOptions,
    rate: RateOrAuto = None,
    shaper: ShaperName = "auto",
    daemons: Daemons = "docker",
    ignore_calibration: IgnoreCalibration = False,
    trace: Annotated[Path | None, typer.Option(help="Write all commands to this file.")] = None,
    dry_run: DryRun = False,
    prompt: PromptFirst = False,
    clock: ClockName = "real",
    cost: Costs = None,
    boxes: Boxes = 0,
    lab: OnLab = "",
    keep: KeepUp = False,
    on: On = "",
    certificates: Certificates = None,
    insecure: Insecure = False,
) -> None:
    """Run an experiment on an emulated network on this machine.

    Needs root. Builds hosts and shaped links, installs one overlay after the other, measures, and
    removes everything. Each sample is saved at once: continue an interrupted run with --resume.
    'run' and 'emulate' are the same command.

    Example: sudo lab run multihop --overlay weave:mode=sleeve --rate 50
    """
    network = {"rate": rate, "shaper": shaper, "accept_links": ignore_calibration}
    around = {"trace": trace, "prompt": prompt, "lab": lab, "keep": keep}
    given = options.request(
        experiment,
        "emulate",
        topology=topology,
        places=sites.parse_all(site or ()),
        largest_component=largest_component,
        **network,
        **around,
        **_clock("real" if clock == "auto" else clock, daemons, cost or (), boxes),
    )
    request = _with_a_clock(given) if clock == "auto" else as_stored(given)
    where = _where(request, on, certificates, insecure)
    if dry_run:
        show_plan(request)
        return
    sys.exit(_run_attached(request) if lab else _run(request, where))


def _with_a_clock(request: RunRequest) -> RunRequest:
    """Return a request with the clock that this machine takes; a run that is resumed has its own."""
    from lab.app.clock import chosen

    if request.resume is not None or request.lab:
        return as_stored(request)
    return chosen(request, tell)


def _where(request: RunRequest, on: str, certificates: Path | None, insecure: bool) -> Where | None:
    """Return the machines that a run is spread over; None for this machine alone, which needs no Dask.

    Raises:
        UsageError: the run is asked for something that it cannot have on several machines.
        RunError: a plain scheduler on a network, or certificates that cannot be used.
    """
    _refuse_in_virtual_time(request)
    if not on:
        if certificates or insecure:
            raise UsageError("--certificates and --insecure are for a run over machines; give --on with them")
        return None
    given = {
        "--lab": request.lab,
        "--keep": request.keep,
        "--prompt": request.prompt,
        "--trace": request.trace,
        "--boxes": request.boxes,
        "--rate auto": request.rate == "auto" and request.clock == "real",
    }
    if names := [name for name, value in given.items() if value]:
        raise UsageError(f"{names[0]} is for a run on one machine; leave it or --on out")
    from lab.spread import require
    from lab.spread.clusters import Where

    require()
    where = Where(on, certificates, insecure)
    where.check()
    return where


def _refuse_in_virtual_time(request: RunRequest) -> None:
    """Check that a run in virtual time is asked for nothing that a box cannot do.

    Raises:
        UsageError: it is; names the option.
    """
    if request.clock == "virtual" and (name := request.option_of_real_time()):
        raise UsageError(f"{name} is for real time: a lab in virtual time ends with its run")


def _clock(clock: str, daemons: str, cost: Sequence[str], boxes: int) -> dict[str, Any]:
    """Return the fields of a request that say by which clock it measures.

    Raises:
        UnknownName: there is no such clock.
        UsageError: something of virtual time was asked for without it.
    """
    from lab.runs.sample import CLOCKS
    from lab.virtual.cost import parse

    if clock not in CLOCKS:
        raise UnknownName("clock", clock, CLOCKS)
    asked = {"--cost": bool(cost), "--boxes": bool(boxes)}
    if clock == "real" and any(asked.values()):
        name = next(name for name, given in asked.items() if given)
        raise UsageError(f"{name} is for virtual time; give --clock virtual with it")
    found = {"clock": clock, "costs": parse(cost), "boxes": boxes}
    return {**found, "daemons": "none" if clock == "virtual" else daemons}


def as_stored(request: RunRequest) -> RunRequest:
    """Return a request to resume a run with the clock and the cells of that run."""
    from lab.runs.run_folder import read

    if request.resume is None:
        return request
    stored = read(request.resume).manifest
    if stored.clock == "real":
        return request
    return replace(
        request,
        clock=stored.clock,
        costs=stored.costs,
        only=tuple(stored.only),
        seed=stored.seed,
        daemons="none",
    )


def _run(request: RunRequest, where: Where | None) -> int:
    """Build, measure, show, remove; returns the exit code."""
    from functools import partial

    from rich.console import Console

    from lab.app import run, virtual
    from lab.app.request import plan_run
    from lab.cli.console import progress, show_results

    if where is None or where.on.startswith("local:"):
        need_root("emulate", request.experiment)
    plan, begin = plan_run(request, tell), monotonic()
    if request.resume is None:
        print(f"{plan.experiment.name}: {expected(plan, request)}", flush=True)
    emulate = virtual.emulate if request.clock == "virtual" else run.emulate
    if where is not None:
        from lab.spread import run as spread

        emulate = partial(spread.emulate, where=where)
    # Mininet's prompt and a live display cannot share a terminal
    console = Console(force_terminal=False, highlight=False) if request.prompt else None
    with progress(console) as emit:
        status, folder = wait(emulate(request, plan, emit=emit), "everything was removed")
    measured = monotonic()
    status = max(status, show_results(plan.experiment, folder))
    print(f"\n{parts(folder, monotonic() - measured, monotonic() - begin)}")
    return status


def parts(folder: Path, drawing: float, whole: float) -> str:
    """Return in one line how long each part of a run took; `drawing` and `whole` (s) are this command's."""
    from lab.runs.event_log import duration
    from lab.runs.run_folder import read

    timing = read(folder).manifest.timing
    # some steps of a bring-up run side by side, and so their sum can be more than the time that passed
    times = {name: sum(phases.values()) for name, phases in timing.items() if isinstance(phases, dict)}
    told = [f"{name} {duration(seconds)}" for name, seconds in times.items()]
    return f"times: {', '.join([*told, f'figures and page {duration(drawing)}'])}; in all {duration(whole)}"


def _run_attached(request: RunRequest) -> int:
    """Measure on a lab that is up, show, and leave it up; returns the exit code."""
    from lab.app.attached import measure, plan_attached
    from lab.cli.console import progress, show_results
    from lab.cli.lab_lock import changing
    from lab.emulation.registry import find
    from lab.live.session import Session

    need_root("emulate", request.experiment)
    if request.topology or request.rate is not None or request.resume:
        raise UsageError("--topology, --rate and --resume are for a lab that is made; --lab has one that is")
    record = find(request.lab)
    with progress() as emit, changing(record, emit):
        session = Session.attach(record.lab_id, emit=emit)
        plan = plan_attached(request, session)
        status, folder = wait(measure(request, plan, session, emit))
    return max(status, show_results(plan.experiment, folder))


def expected(plan: RunPlan, request: RunRequest) -> str:
    """Return in two sentences what a run measures, and for how long."""
    from lab.runs.progress import OVERHEAD

    grid = plan.measurable_cells(request.only)
    cells = [cell for of_overlay in grid.values() for cell in of_overlay]
    times = plan.profile.bring_ups
    seconds = times * sum(cell.repetitions * cell.duration for cell in cells)
    whole = (seconds + times * sum(cell.repetitions for cell in cells) * OVERHEAD) / 60
    about = f"about {counted(round(whole), 'minute')}" if round(whole) else "less than a minute"
    often = f", {times} times each" if times > 1 else ""
    return (
        f"{counted(len(cells), 'cell')}, {seconds / 60:.1f} minutes of measuring at {plan.conditions()}\n"
        f"{about} with the start of the tools, "
        f"and the time to bring up {counted(len(grid), 'overlay')}{often}"
    )


def show_plan(request: RunRequest) -> None:
    """Print the cells of a run and the time that they take; nothing is built."""
    from lab.app.capacity import warn_of_overload
    from lab.app.request import plan_run
    from lab.events import Note

    plan = plan_run(request, tell)
    for name, overlay in plan.overlays.items():
        if missing := overlay.obtainable():
            print(f"{name} is left out: {missing.what}; {missing.remedy}")
    for cell in plan.all_cells(request.only):
        print(f"{cell.key}  {cell.repetitions} × {cell.duration:g} s")
    print(expected(plan, request))
    if request.clock == "real":
        warn_of_overload(plan, lambda event: print(event.text) if isinstance(event, Note) else None)
