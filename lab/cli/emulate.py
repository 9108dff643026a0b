"""lab emulate: run an experiment on an emulated network of Docker hosts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.experiment_options import ExperimentOptions, takes_experiment_options
from lab.cli.options import Daemons, ExperimentName, LargestComponent, ShaperName, Sites, TopologyOption
from lab.cli.process import need_root, wait
from lab.cli.topologies import tell
from lab.errors import LabError
from lab.topology import sites

if TYPE_CHECKING:
    from lab.app.request import RunRequest


@takes_experiment_options
def command(
    experiment: ExperimentName,
    *,
    topology: TopologyOption = "",
    site: Sites = None,
    largest_component: LargestComponent = False,
    options: ExperimentOptions,
    rate: Annotated[
        str | None,
        typer.Option(help="Rate of every link in Mbit/s; 'auto': the highest that this machine carries."),
    ] = None,
    shaper: ShaperName = "auto",
    daemons: Daemons = "docker",
    accept_links: Annotated[
        bool, typer.Option("--accept-links", help="Measure although links are off; marks every sample.")
    ] = False,
    trace: Annotated[Path | None, typer.Option(help="Write every command to this file.")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print the cells and the time they take; do nothing.")
    ] = False,
    cli: Annotated[bool, typer.Option(help="Open the mininet> prompt before measuring.")] = False,
    lab: Annotated[
        str, typer.Option("--lab", "-l", help="Measure on this lab, which is up, with its links as they are.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up at the end.")] = False,
) -> None:
    """Run an experiment on Docker hosts with shaped links on this machine. Needs root.

    Builds the network, puts one overlay after the other on it, measures, and takes all of it
    away again. Samples are on disk one by one: an interrupted run goes on with --resume.

    Example: sudo python -m lab emulate multihop --overlay weave:mode=sleeve --rate 50
    """
    network = {"rate": rate, "shaper": shaper, "accept_links": accept_links, "daemons": daemons}
    around = {"trace": trace, "prompt": cli, "lab": lab, "keep": keep}
    request = options.request(
        experiment,
        "emulate",
        topology=topology,
        places=sites.parse_all(site or ()),
        largest_component=largest_component,
        **network,
        **around,
    )
    if dry_run:
        show_plan(request)
        return
    need_root("emulate", experiment)
    sys.exit(_run_attached(request) if lab else _run(request))


def _run(request: RunRequest) -> int:
    """Build, measure, show, take away; returns the exit status."""
    from rich.console import Console

    from lab.app.request import plan_run
    from lab.app.run import emulate
    from lab.cli.console import progress, show_results

    plan = plan_run(request, tell)
    # Mininet's prompt and a live display cannot share a terminal
    console = Console(force_terminal=False, highlight=False) if request.prompt else None
    with progress(console) as emit:
        status, folder = wait(emulate(request, plan, emit), "everything was taken away")
    return max(status, show_results(plan.experiment, folder))


def _run_attached(request: RunRequest) -> int:
    """Measure on a lab that is up, show, and leave it up; returns the exit status."""
    from lab.app.attached import measure, plan_attached
    from lab.cli.console import progress, show_results
    from lab.cli.lab_lock import changing
    from lab.emulation.registry import find
    from lab.live.session import Session

    if request.topology or request.rate is not None or request.resume:
        raise LabError("--topology, --rate and --resume are for a lab that is made; --lab has one that is")
    record = find(request.lab)
    with progress() as emit, changing(record, emit):
        session = Session.attach(record.lab_id, emit=emit)
        plan = plan_attached(request, session)
        status, folder = wait(measure(request, plan, session, emit))
    return max(status, show_results(plan.experiment, folder))


def show_plan(request: RunRequest) -> None:
    """Print the cells of a run and the time that they take; nothing is built."""
    from lab.app.capacity import warn_of_overload
    from lab.app.request import plan_run
    from lab.events import Note
    from lab.runs.progress import OVERHEAD

    plan = plan_run(request, tell)
    grid = plan.cells(request.only)
    cells = [cell for of_overlay in grid.values() for cell in of_overlay]
    for cell in cells:
        print(f"{cell.key}  {cell.repetitions} × {cell.duration:g} s")
    seconds = sum(cell.repetitions * cell.duration for cell in cells)
    whole = (seconds + sum(cell.repetitions for cell in cells) * OVERHEAD) / 60
    print(f"{len(cells)} cells, {seconds / 60:.1f} minutes of measuring at {plan.conditions()}")
    print(f"about {whole:.0f} minutes with the tools' hand-shakes, besides bringing {len(grid)} overlays up")
    warn_of_overload(plan, lambda event: print(event.text) if isinstance(event, Note) else None)
