"""lab up: bring a lab up and leave it running, or bring one that runs to another topology."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import MachineError

if TYPE_CHECKING:
    from lab.emulation.difference import Difference
    from lab.emulation.record import Record
    from lab.events import Emit
    from lab.topology import Topology


def command(
    topology: Annotated[str, typer.Argument(help="Name or file of a topology; 'lab list topologies'.")],
    name: Annotated[str, typer.Option("--name", "-n", help="What to call it; the topology's name.")] = "",
    rate: Annotated[float | None, typer.Option(help="Rate of every link in Mbit/s.")] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="For files: NAME=LAT,LON, a site beyond the known ones.")
    ] = None,
    largest_component: Annotated[
        bool, typer.Option(help="For files: reduce a graph to what a topology can hold.")
    ] = False,
    shaper: Annotated[str, typer.Option(help="auto, netem or wire.")] = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
) -> None:
    """Bring a lab up and leave it running; returns when everything is ready. Needs root.

    On a name that is up already, shows what differs and changes only that: what stays is not touched.

    Example: sudo python -m lab up linear --name class --rate 100
    """
    from lab import catalog, sites
    from lab.cli.export_dsl import tell

    wanted = catalog.topology(
        topology, places=dict(map(sites.parse, site or ())), largest_component=largest_component, emit=tell
    )
    if rate is not None:
        wanted = wanted.with_rate(rate)
    called = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted.name).strip("-")
    if os.geteuid() != 0:
        raise MachineError(f"up needs root: sudo {sys.executable} -m lab up {topology}")
    sys.exit(_run(wanted, called, shaper, plan))


def _run(wanted: Topology, name: str, shaper: str, plan: bool) -> int:
    from lab.cli.shared import progress
    from lab.emulation.record import records
    from lab.interrupts import until_told

    there = next((record for record in records() if name in (record.name, record.lab_id)), None)
    with progress() as emit:
        try:
            if there is not None:
                return _change(there, wanted, plan, emit)
            if plan:
                print(f"lab {name} would be made: {len(wanted.hosts)} hosts, {len(wanted.links)} links")
                return 0
            asyncio.run(until_told(_make(wanted, name, shaper, emit)))
        except asyncio.CancelledError:
            print("lab: interrupted", file=sys.stderr)
            return 130
    print(f"lab {name} is up; 'lab ps {name}' shows it, 'lab down {name}' takes it away")
    return 0


async def _make(wanted: Topology, name: str, shaper: str, emit: Emit) -> None:
    from lab.emulation.emulation import Emulation

    lab = Emulation(wanted, name=name, shaper=shaper, emit=emit)
    await lab.up()
    lab.keep()


def _change(there: Record, wanted: Topology, plan: bool, emit: Emit) -> int:
    from lab.cli.labs import changing
    from lab.emulation.emulation import Emulation
    from lab.interrupts import until_told

    with changing(there, emit):
        lab = Emulation.attach(there.lab_id, emit=emit)
        change = lab.compare(wanted)
        tell_difference(there.name, change)
        if change and not plan:
            asyncio.run(until_told(lab.become(change)))
            print(f"lab {there.name} is changed")
    return 0


def tell_difference(name: str, change: Difference) -> None:
    """Print what differs between a lab and what is wanted of it."""
    for line in change.words() or [f"lab {name} is as it is wanted"]:
        print(line)
