"""lab testbed: the same experiments on real machines, over SSH."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.app.testbed import AcceptNew, InventoryFile, Steal
from lab.cli.options import (
    SPARES,
    Duration,
    ExperimentName,
    OnFallback,
    Only,
    Overlays,
    ProfileName,
    Repetitions,
    Results,
    Resume,
    Seed,
    Spares,
    Weaver,
)

if TYPE_CHECKING:
    from lab.app.run import RunRequest
    from lab.events import Emit

app = typer.Typer(
    name="testbed",
    no_args_is_help=True,
    add_completion=False,
    help="Experiments on real machines over SSH: check, prepare, run, restore.",
)
INVENTORY = Path("inventory.yaml")


@app.command()
def check(
    inventory: InventoryFile = INVENTORY,
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", "-o", help="Only these; all overlays by default.")
    ] = None,
    accept_new: AcceptNew = False,
) -> None:
    """Reach every machine and say what each has and lacks. Changes nothing.

    The exit status is 0 when every machine is reached, and is or can be made ready by 'prepare'.

    Example: python -m lab testbed check --inventory inventory.yaml
    """
    from lab.app.testbed import booked
    from lab.cli.console import progress, show
    from lab.cli.testbed_check import checked

    book = booked(inventory)
    with progress() as emit:
        status, table = _end(checked(book, overlay or [], emit, accept_new=accept_new))
    show(table)
    sys.exit(status)


@app.command()
def prepare(
    inventory: InventoryFile = INVENTORY,
    persist: Annotated[bool, typer.Option(help="Set the data plane up again after each reboot.")] = False,
    accept_new: AcceptNew = False,
    steal: Steal = False,
    dry_run: Annotated[bool, typer.Option(help="Print what would run as root on each host.")] = False,
) -> None:
    """Make every machine ready: packages, endpoint image, addresses and MTU of the data plane.

    What is there already is left alone. The hosts stay claimed until 'restore'.

    Example: python -m lab testbed prepare --inventory inventory.yaml
    """
    from lab.app.testbed import booked
    from lab.cli.console import progress

    book = booked(inventory)
    with progress() as emit:
        said = _end(_prepare(book, emit, persist, accept_new, steal, dry_run))
    for line in said:
        typer.echo(line)


async def _prepare(
    book: Any, emit: Emit, persist: bool, accept_new: bool, steal: bool, dry_run: bool
) -> list[str]:
    from lab.testbed import prepare as preparing

    async with book.bed(emit, accept_new=accept_new, steal=steal) as bed:
        if not dry_run:
            done = await preparing.prepare(bed, persist=persist)
            return done or ["every host was ready"]
        await bed.survey()
        await bed.find_control_interfaces()
        await bed.find_ports(discover=False)
        rows = preparing.planned_steps(bed, persist=persist)
        return [line for name, lines in rows.items() for line in (f"{name}:", *(f"  {x}" for x in lines))]


@app.command()
def run(
    experiment: ExperimentName,
    inventory: InventoryFile = INVENTORY,
    overlay: Overlays = None,
    profile: ProfileName = "quick",
    rate: Annotated[
        float | None, typer.Option(help="Rate that every link has, in Mbit/s, for tables and figures.")
    ] = None,
    repetitions: Repetitions = None,
    duration: Duration = None,
    spares: Spares = SPARES,
    only: Only = None,
    seed: Seed = None,
    on_fallback: OnFallback = "mark",
    weaver: Weaver = None,
    resume: Resume = None,
    results: Results = Path("results"),
    trace: Annotated[
        Path | None, typer.Option(help="Write every command to files of this name, one per host.")
    ] = None,
    accept_new: AcceptNew = False,
    steal: Steal = False,
    dry_run: Annotated[
        bool, typer.Option(help="Print the cells, the time they take, and what runs as root; do nothing.")
    ] = False,
) -> None:
    """Run an experiment on machines that 'prepare' has made ready.

    The same overlays, cells and run folder as 'lab emulate'; samples are on disk one by one, and an
    interrupted run goes on with --resume.

    Example: python -m lab testbed run multihop --inventory inventory.yaml --overlay weave
    """
    from lab.app.run import RunRequest
    from lab.app.testbed import booked

    if weaver:
        os.environ["LAB_WEAVER"] = weaver
    asked = RunRequest(
        experiment=experiment,
        topology=booked(inventory).name,
        overlays=tuple(overlay or ()),
        profile=profile,
        rate=rate,
        repetitions=repetitions,
        duration=duration,
        spares=spares,
        only=tuple(only or ()),
        seed=seed,
        on_fallback=on_fallback,
        resume=resume,
        results=results,
        trace=trace,
        verb="testbed run",
    )
    if dry_run:
        _plan(asked)
        return
    sys.exit(_measured(asked, inventory, accept_new, steal))


def _plan(asked: RunRequest) -> None:
    from lab.app.run import show_plan
    from lab.testbed import dataplane, reservation, restore

    show_plan(asked)
    typer.echo("as root on every host, besides what the overlays' pages (docs/overlays) list:")
    for line in (
        f"write {reservation.BUSY} and {restore.OVERLAYS}, and remove them at the end",
        f"run {dataplane.SCRIPT}, which 'prepare --dry-run' prints",
        "ping over every link, docker exec of the measuring tools, read /proc/stat and /proc/pressure/cpu",
    ):
        typer.echo(f"  {line}")


def _measured(asked: RunRequest, inventory: Path, accept_new: bool, steal: bool) -> int:
    from lab.app.run import load_experiment, show_results, tell_faults
    from lab.app.testbed import measure
    from lab.cli.console import progress

    experiment = load_experiment(asked.experiment)
    with progress() as emit:
        status, path = _end(measure(asked, inventory, emit, accept_new=accept_new, steal=steal))
    show_results(experiment, path)
    faulty = tell_faults(experiment, path)
    return int(status or faulty)


@app.command()
def restore(
    inventory: InventoryFile = INVENTORY,
    accept_new: AcceptNew = False,
    steal: Steal = False,
) -> None:
    """Take everything off the machines that 'prepare' and runs put there; packages stay, and are listed.

    Says what is not as it was, host by host; the exit status is then 1.

    Example: python -m lab testbed restore --inventory inventory.yaml
    """
    from lab.app.testbed import booked
    from lab.cli.console import progress

    book = booked(inventory)
    with progress() as emit:
        status, said = _end(_restore(book, emit, accept_new, steal))
    for line in said:
        typer.echo(line)
    sys.exit(status)


async def _restore(book: Any, emit: Emit, accept_new: bool, steal: bool) -> tuple[int, list[str]]:
    from lab.app.testbed import sweep
    from lab.events import step
    from lab.testbed import restore as restoring
    from lab.util.concurrency import together

    async with book.bed(emit, accept_new=accept_new, steal=steal) as bed:
        await bed.survey()
        if not any(found.first("before") for found in bed.surveys.values()):
            return 0, ["nothing of the lab is on these hosts"]
        await bed.claim()
        left = await sweep(bed, emit)
        with step(emit, "hosts as they were"):
            rows = await together(restoring.restore(host) for host in bed.hosts.values())
        bed.forget_claim()
    said = list(left)
    for row in filter(None, rows):
        said += [f"{row.host}: {words}" for words in row.left]
        if row.packages:
            said.append(f"{row.host}: packages that stay: {', '.join(row.packages)}")
    faulty = bool(left) or any(row.left for row in rows if row)
    return int(faulty), said or ["every host is as it was"]


def _end(work: Coroutine[Any, Any, Any]) -> Any:
    """The work's result; a signal ends it in order."""
    from lab.util.signals import cancel_on_signal

    try:
        return asyncio.run(cancel_on_signal(work))
    except asyncio.CancelledError:
        print("lab: interrupted; overlays were taken off the hosts", file=sys.stderr)
        sys.exit(130)
