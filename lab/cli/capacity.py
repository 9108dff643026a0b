"""lab capacity: the highest link rate at which samples stay valid on this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import ShaperName
from lab.cli.process import need_root, wait
from lab.cli.topologies import tell
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.events import Emit
    from lab.runs.capacity import Capacity


def command(
    topology: Annotated[str, typer.Argument(help="Name or file; the experiment's own by default.")] = "",
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", "-o", help="NAME[:option=value,…], again for more.")
    ] = None,
    experiment: Annotated[
        str, typer.Option(help="Whose measurements are tried, each over the longest path.")
    ] = "multihop",
    profile: Annotated[str, typer.Option(help="Whose CPUs per host; 'quick' or 'paper'.")] = "quick",
    least: Annotated[float, typer.Option(help="The lowest rate that is tried, Mbit/s.")] = 1.0,
    most: Annotated[float, typer.Option(help="The highest rate that is tried, Mbit/s.")] = 1000.0,
    shaper: ShaperName = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per overlay.")] = False,
) -> None:
    """Find the highest link rate at which samples stay valid on this machine. Needs root.

    Builds the network once per overlay, sets all links to one rate after the other (bisection, at
    most eight), and measures each metric of the experiment once or twice over its longest path.

    Example: sudo python -m lab capacity linear --overlay weave
    """
    from rich.console import Console

    from lab.app import capacity
    from lab.app.request import RunRequest, plan_run
    from lab.cli.console import progress

    if not 0 < least < most:
        raise LabError(f"--least {least:g} and --most {most:g} leave no rate to try; give 0 < least < most")
    overlays = tuple(overlay or ("underlay",))
    plan = plan_run(RunRequest(experiment, topology, overlays=overlays, profile=profile, rate=most), tell)
    need_root("capacity", "")

    async def find_all(emit: Emit) -> dict[str, Capacity]:
        return {
            name: await capacity.find(name, plan, emit, least=least, most=most, shaper=shaper)
            for name in plan.overlays
        }

    with progress(Console(stderr=True, highlight=False) if as_json else None) as emit:
        found = wait(find_all(emit), "everything was taken away")
    for name, one in found.items():
        if as_json:
            print(json.dumps({"overlay": name, "topology": plan.topology.name, **asdict(one)}))
        elif one.rate is None:
            print(f"{name}: not even {least:g} Mbit/s per link is carried here ({one.why()})")
        else:
            print(f"{name}: {one.rate:g} Mbit/s per link ({one.why()})")
    sys.exit(0 if all(one.rate for one in found.values()) else 1)
