"""lab testbed: the same experiments on real machines, over SSH."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import inventory as inventory_verb
from lab.cli import rehearse as rehearse_verb
from lab.cli.experiment_options import ExperimentOptions, takes_experiment_options
from lab.cli.former import Verb
from lab.cli.options import AcceptNew, ExperimentName, HostTraces, InventoryFile, TakeOver
from lab.cli.process import wait
from lab.cli.topologies import tell

if TYPE_CHECKING:
    from lab.app.testbed import MachineCheck
    from lab.report.tables import Table
    from lab.testbed.testbed import Testbed

app = typer.Typer(
    name="testbed",
    no_args_is_help=True,
    add_completion=False,
    help="Run experiments on real machines, over SSH.",
)
app.command(name="inventory", cls=Verb)(inventory_verb.command)
app.command(name="rehearse", cls=Verb)(rehearse_verb.command)
INVENTORY = Path("inventory.yaml")
AFTERMATH = "the overlays were removed from the hosts"
CHECK_COLUMNS = ["host", "system", "kernel", "CPUs", "Docker", "control", "ports", "free", "held by"]


@app.command(cls=Verb)
def check(
    inventory: InventoryFile = INVENTORY,
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", help="Only this overlay. Repeat for more. Default: all.")
    ] = None,
    accept_new: AcceptNew = False,
) -> None:
    """Connect to every machine, and say what it has and what is missing.

    It changes nothing. The exit code is 0 if every machine answers, and is ready or can be made
    ready by 'prepare'.

    Example: lab testbed check --inventory inventory.yaml
    """
    from lab.app import testbed
    from lab.cli.console import progress, show

    booked = testbed.load_testbed(inventory, tell, accept_new=accept_new)
    with progress() as emit:
        found = wait(testbed.check(booked, overlay or [], emit), AFTERMATH)
    show(check_table(found))
    sys.exit(1 if found.troubles or (overlay and found.unable) else 0)


@app.command(cls=Verb)
def prepare(
    inventory: InventoryFile = INVENTORY,
    persist: Annotated[
        bool, typer.Option("--persist", help="Set the data plane up again after each reboot.")
    ] = False,
    accept_new: AcceptNew = False,
    take_over: TakeOver = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run as root on each host.")
    ] = False,
) -> None:
    """Make every machine ready: packages, endpoint image, addresses and MTU of the data plane.

    It keeps what is there already. It claims the machines for you until 'restore'.

    Example: lab testbed prepare --inventory inventory.yaml
    """
    from lab.app import testbed
    from lab.cli.console import progress

    booked = testbed.load_testbed(inventory, tell, accept_new=accept_new, steal=take_over)
    with progress() as emit:
        done = wait(testbed.prepare(booked, emit, persist=persist, dry_run=dry_run), AFTERMATH)
    typer.echo("\n".join(done))


@app.command(cls=Verb)
@takes_experiment_options
def run(
    experiment: ExperimentName,
    *,
    inventory: InventoryFile = INVENTORY,
    options: ExperimentOptions,
    rate: Annotated[
        float | None, typer.Option(help="Rate that every link has, in Mbit/s, for tables and figures.")
    ] = None,
    trace: HostTraces = None,
    accept_new: AcceptNew = False,
    take_over: TakeOver = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print cells, time, and what runs as root. Do nothing.")
    ] = False,
) -> None:
    """Run an experiment on machines that 'prepare' has made ready.

    Overlays, cells and run folder are as with 'lab run'. Each sample is saved at once: continue
    an interrupted run with --resume.

    Example: lab testbed run multihop --inventory inventory.yaml --overlay weave
    """
    from lab.app import testbed
    from lab.app.request import plan_run
    from lab.cli.console import progress, show_results
    from lab.cli.emulate import show_plan

    booked = testbed.load_testbed(inventory, tell, accept_new=accept_new, steal=take_over)
    request = options.request(experiment, "testbed run", topology=booked.name, rate=rate, trace=trace)
    if dry_run:
        show_plan(request)
        _show_commands()
        return
    plan = plan_run(request)  # what was left out of the topology's file has been told already
    with progress() as emit:
        status, folder = wait(testbed.measure(request, plan, booked, emit), AFTERMATH)
    sys.exit(max(status, show_results(plan.experiment, folder)))


def _show_commands() -> None:
    from lab.testbed import dataplane, reservation, restore

    typer.echo("as root on every host, besides what the overlays' pages (docs/reference/overlays) list:")
    for line in (
        f"write {reservation.BUSY} and {restore.OVERLAYS}, and remove them at the end",
        f"run {dataplane.SCRIPT}, which 'prepare --dry-run' prints",
        "ping over every link, docker exec of the measuring tools, read /proc/stat and /proc/pressure/cpu",
    ):
        typer.echo(f"  {line}")


@app.command(cls=Verb)
def restore(
    inventory: InventoryFile = INVENTORY,
    accept_new: AcceptNew = False,
    take_over: TakeOver = False,
) -> None:
    """Remove everything that 'prepare' and runs put on the machines, except packages.

    It lists the packages, and everything that is not as it was before. The exit code is then 1.

    Example: lab testbed restore --inventory inventory.yaml
    """
    from lab.app import testbed
    from lab.cli.console import progress

    booked = testbed.load_testbed(inventory, tell, accept_new=accept_new, steal=take_over)
    with progress() as emit:
        status, left = wait(testbed.restore(booked, emit), AFTERMATH)
    typer.echo("\n".join(left))
    sys.exit(status)


def check_table(found: MachineCheck) -> Table:
    """Return what `lab testbed check` found, as a table."""
    from lab.report.tables import Section, Table

    bed = found.bed
    unable = (f"{host}: {overlay} needs {words}" for host, overlay, words in found.unable)
    sections = [
        Section("what each host has", [_host_row(bed, name) for name in bed.hosts if name in bed.surveys]),
        Section("missing, and 'prepare' installs it", _padded(_lacking(bed))),
        Section("problems", _padded(found.troubles)),
        Section("overlays that a host cannot run", _padded(unable)),
    ]
    title = f"{len(bed.surveys)} of {len(bed.inventory.hosts)} hosts of {bed.topology.name} answer"
    return Table(title, CHECK_COLUMNS, [section for section in sections if section.rows], [])


def _host_row(bed: Testbed, name: str) -> list[str]:
    from lab.testbed import reservation

    survey = bed.surveys[name]
    facts = survey.as_facts()
    holder = reservation.parse(survey.answers.get("claim", "").strip())
    return [
        name,
        str(facts["system"]),
        str(facts["kernel"]),
        str(facts["cpus"]),
        ".".join(map(str, survey.docker)) or "none",
        bed.control_interfaces.get(name, "?"),
        " ".join(f"{p}={v}" for p, v in bed.inventory.hosts[name].ports.items()),
        f"{survey.free_mib} MiB",
        f"{holder.who} on {holder.machine} since {holder.since}" if holder else "–",
    ]


def _lacking(bed: Testbed) -> Iterator[str]:
    from lab.testbed import provision

    wanted = provision.endpoint_id()
    for name in (name for name in bed.hosts if name in bed.surveys):
        survey = bed.surveys[name]
        there = {address for one in survey.interfaces.values() for address in one.addresses}
        words = provision.missing_parts(survey)
        words += ["the endpoint image"] if provision.lacks_image(survey, wanted) else []
        for link in bed.topology.links_of(name):
            address = f"{link.address(name)}/{link.prefix}"
            words += [] if address in there else [f"{address} for {link.interface(name)}"]
        if words:
            yield f"{name}: {', '.join(words)}"


def _padded(lines: Iterable[str]) -> list[list[str]]:
    return [[line, *[""] * (len(CHECK_COLUMNS) - 1)] for line in lines]
