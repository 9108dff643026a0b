"""lab calibrate: measure in both directions what links really do."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import Rate, ShaperName
from lab.cli.process import need_root, wait
from lab.cli.topologies import read_topology
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.events import Emit
    from lab.report.tables import Table
    from lab.topology import Topology


def command(
    topology: Annotated[str, typer.Argument(help="Name or file of a topology to build for it.")] = "linear",
    rate: Rate = None,
    shaper: ShaperName = "auto",
    lab: Annotated[
        str | None, typer.Option("--lab", "-l", help="Measure this lab, which is up, instead.")
    ] = None,
) -> None:
    """Measure every link in both directions: round trip, rate and loss.

    Needs root. Compares what was measured with what was asked. The exit code is 1 if a link is wrong.
    'run' does the same before every experiment.

    Example: sudo lab calibrate linear --rate 100
    """
    from lab.cli.console import progress, show

    found = read_topology(topology, rate=rate) if lab is None else None
    need_root("calibrate", topology)
    with progress() as emit:
        rows, faults = wait(_measure(found, shaper, lab or "", emit))
    show(rows)
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
            raise LabError(f"lab {lab.name} has no links")
        with step(emit, "calibration of links"):
            rows, faults = await calibrate(lab.links, lab.shaper, accept=True)
        return table(rows, lab.shaper.name), faults


def table(rows: dict[str, dict[str, float]], shaper: str) -> Table:
    """Return the rows of a calibration as a table, a column per figure."""
    from lab.report.tables import Section, Table

    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    cells = [
        [name, *(f"{row[key]:g}" if key in row else "–" for key in columns)] for name, row in rows.items()
    ]
    return Table(f"links, shaped by {shaper}", ["link", *columns], [Section("asked and found", cells)], [])
