"""lab calibrate: what links really do, measured in both directions."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import LabError, MachineError

if TYPE_CHECKING:
    from lab.events import Emit
    from lab.report.tables import Table
    from lab.topology import Topology


def command(
    topology: Annotated[str, typer.Argument(help="Name or file of a topology to build for it.")] = "linear",
    rate: Annotated[float | None, typer.Option(help="Rate of every link in Mbit/s.")] = None,
    shaper: Annotated[str, typer.Option(help="auto, netem or wire.")] = "auto",
    lab: Annotated[
        str | None, typer.Option(help="Measure a lab that is up instead; '' where it is one.")
    ] = None,
) -> None:
    """Measure every link: round trip, rate and loss in both directions, against what was asked. Needs root.

    'emulate' does the same before every experiment. The status is 1 when a link is off.

    Example: sudo python -m lab calibrate linear --rate 100
    """
    from lab import catalog
    from lab.cli.console import progress, show
    from lab.cli.export_dsl import tell
    from lab.util.signals import cancel_on_signal

    found = catalog.topology(topology, emit=tell) if lab is None else None
    if found is not None and rate is not None:
        found = found.with_rate(rate)
    if os.geteuid() != 0:
        raise MachineError(f"calibrate needs root: sudo {sys.executable} -m lab calibrate {topology}")
    try:
        with progress() as emit:
            told, faults = asyncio.run(cancel_on_signal(_measure(found, shaper, lab or "", emit)))
    except asyncio.CancelledError:
        sys.exit(130)
    show(told)
    for fault in faults:
        print(f"lab: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


async def _measure(topology: Topology | None, shaper: str, name: str, emit: Emit) -> tuple[Table, list[str]]:
    from lab.emulation.emulation import Emulation
    from lab.emulation.links.calibration import calibrate
    from lab.events import step

    async with AsyncExitStack() as stack:
        if topology is None:
            lab = Emulation.attach(name, emit=emit)
        else:
            lab = await stack.enter_async_context(Emulation(topology, shaper=shaper, emit=emit))
        if not lab.links:
            raise LabError("this lab has no links to measure")
        with step(emit, "calibration of links"):
            rows, faults = await calibrate(lab.links, lab.shaper, accept=True)
        return table(rows, lab.shaper.name), faults


def table(rows: dict[str, dict[str, float]], shaper: str) -> Table:
    """The rows of a calibration, a column per figure."""
    from lab.report.tables import Section, Table

    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    found = [
        [name, *(f"{row[key]:g}" if key in row else "–" for key in columns)] for name, row in rows.items()
    ]
    return Table(f"links, shaped by {shaper}", ["link", *columns], [Section("asked and found", found)], [])
