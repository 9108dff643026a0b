"""lab capacity: the highest link rate at which samples stay valid on this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from lab.cli.options import MBIT, ShaperName, quantity
from lab.cli.process import need_root, wait
from lab.cli.topologies import tell
from lab.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lab.app.request import RunPlan
    from lab.events import Emit
    from lab.runs.capacity import Capacity

MinRate: TypeAlias = Annotated[
    float,
    typer.Option(parser=quantity("min-rate", MBIT), metavar="RATE", help="Lowest rate to try (Mbit/s)."),
]
MaxRate: TypeAlias = Annotated[
    float,
    typer.Option(parser=quantity("max-rate", MBIT), metavar="RATE", help="Highest rate to try (Mbit/s)."),
]


def command(
    topology: Annotated[str, typer.Argument(help="Name or file. Default: the experiment's own.")] = "",
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", help="NAME[:option=value,…]. Repeat for more.")
    ] = None,
    experiment: Annotated[
        str, typer.Option(help="Experiment whose metrics are measured, each over the longest path.")
    ] = "multihop",
    profile: Annotated[
        str, typer.Option(help="Profile with the CPUs per host: 'quick' or 'paper'.")
    ] = "quick",
    min_rate: MinRate = 1.0,
    max_rate: MaxRate = 1000.0,
    shaper: ShaperName = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per overlay.")] = False,
) -> None:
    """Find the highest link rate at which samples are valid on this machine.

    Needs root. Builds the network once per overlay. Then it changes the rate of all links, at most
    eight times (bisection), and measures each metric of the experiment over its longest path.

    Example: sudo lab capacity linear --overlay weave
    """
    from rich.console import Console

    from lab.app.request import RunRequest, plan_run
    from lab.cli.console import progress

    if not 0 < min_rate < max_rate:
        raise UsageError(
            f"--min-rate {min_rate:g} is not below --max-rate {max_rate:g}, so no rate is left to try"
        )
    overlays = tuple(overlay or ("underlay",))
    plan = plan_run(RunRequest(experiment, topology, overlays=overlays, profile=profile, rate=max_rate), tell)
    need_root("capacity", "")
    with progress(Console(stderr=True, highlight=False) if as_json else None) as emit:
        found = wait(_find_all(plan, emit, min_rate, max_rate, shaper), "everything was removed")
    for name, one in found.items():
        if as_json:
            print(json.dumps({"overlay": name, "topology": plan.topology.name, **asdict(one)}))
        elif one.rate is None:
            print(f"{name}: not even {min_rate:g} Mbit/s per link is carried here ({one.why()})")
        else:
            print(f"{name}: {one.rate:g} Mbit/s per link ({one.why()})")
    sys.exit(ExitCode.DONE if all(one.rate for one in found.values()) else ExitCode.FAILED)


async def _find_all(
    plan: RunPlan, emit: Emit, min_rate: float, max_rate: float, shaper: str
) -> dict[str, Capacity]:
    from lab.app import capacity

    return {
        name: await capacity.find(name, plan, emit, least=min_rate, most=max_rate, shaper=shaper)
        for name in plan.overlays
    }
