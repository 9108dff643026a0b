"""lab capacity: the highest link rate at which samples stay valid on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import LabError, MachineError

if TYPE_CHECKING:
    from rich.console import Console

    from lab.app.run import RunPlan, RunRequest
    from lab.events import Emit
    from lab.runs.capacity import Capacity
    from lab.runs.experiment import Experiment, Profile
    from lab.topology import Topology


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
    shaper: Annotated[str, typer.Option(help="auto, netem or wire.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per overlay.")] = False,
) -> None:
    """Find the highest link rate at which samples stay valid on this machine. Needs root.

    Builds the network once per overlay, sets all links to one rate after the other (bisection, at
    most eight), and measures each metric of the experiment once or twice over its longest path.

    Example: sudo python -m lab capacity linear --overlay weave
    """
    from lab.app import run
    from lab.cli.console import progress
    from lab.util.signals import cancel_on_signal

    if not 0 < least < most:
        raise LabError(f"--least {least:g} and --most {most:g} leave no rate to try; give 0 < least < most")
    settled = run.parts(
        run.RunRequest(
            experiment,
            topology,
            overlays=tuple(overlay or ("underlay",)),
            profile=profile,
            rate=most,
            shaper=shaper,
        )
    )
    if os.geteuid() != 0:
        raise MachineError(f"capacity needs root: sudo {sys.executable} -m lab capacity")

    async def every(emit: Emit) -> dict[str, Capacity]:
        return {
            name: await find(
                name, settled.topology, settled.experiment, settled.profile, emit, least, most, shaper
            )
            for name in settled.overlays
        }

    def aside() -> Console:
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    try:
        with progress(aside() if as_json else None) as emit:
            found = asyncio.run(cancel_on_signal(every(emit)))
    except asyncio.CancelledError:
        print("lab: interrupted; everything was taken away", file=sys.stderr)
        sys.exit(130)
    for name, capacity in found.items():
        words = json.dumps({"overlay": name, "topology": settled.topology.name, **capacity.as_dict()})
        print(words if as_json else f"{name}: {sentence(capacity, least)}")
    sys.exit(0 if all(capacity.rate for capacity in found.values()) else 1)


def sentence(found: Capacity, least: float) -> str:
    """What was found, for a person."""
    if found.rate is None:
        return f"not even {least:g} Mbit/s per link is carried here ({found.why()})"
    return f"{found.rate:g} Mbit/s per link ({found.why()})"


async def find(
    name: str,
    topology: Topology,
    experiment: Experiment,
    profile: Profile,
    emit: Emit,
    least: float = 1.0,
    most: float = 1000.0,
    shaper: str = "auto",
    only: Sequence[str] = (),
) -> Capacity:
    """The capacity of this machine for one overlay on one network; kept for later runs.

    Raises:
        LabError: the lab or the overlay did not come up, or the links died; nothing is left.
    """
    from lab.app.trial import trial
    from lab.events import Note
    from lab.runs import capacity, capacity_estimate
    from lab.runs.plan import chosen
    from overlays import registry

    overlay = registry.parse(name)  # one of its own: a run that follows installs another
    hardest = capacity.hardest(chosen(experiment.cells(topology, name, profile), only), topology)
    cells = [replace(cell, rate=most) for cell in hardest]  # what links carry first, and in the warm-up

    def tell(tried: capacity.CapacityTrial) -> None:
        words = f"{tried.cell}: {tried.state}: {'; '.join(tried.reasons)}" if tried.cell else "carried"
        emit(Note(f"{name} at {tried.rate:g} Mbit/s: {words}"))

    async with trial(topology.with_rate(most), overlay, experiment, cells, shaper=shaper, emit=emit) as lab:
        found = await capacity.search(cells, lab.set_rate, lab.sample, least=least, most=most, tell=tell)
    capacity_estimate.remember(name, topology, found)
    return found


async def with_found_rate(asked: RunRequest, settled: RunPlan, emit: Emit) -> RunPlan:
    """The same with the highest rate that this machine carries on all overlays that it can have.

    Raises:
        LabError: there is none.
    """
    from lab.runs.capacity import FOUND

    found = {
        name: await find(
            name,
            settled.topology,
            settled.experiment,
            settled.profile,
            emit,
            shaper=asked.shaper,
            only=asked.only,
        )
        for name, overlay in settled.overlays.items()
        if not overlay.obtainable()
    }
    if not found:
        raise LabError(
            "--rate auto: not one of the overlays is obtainable here; 'lab list overlays' says why"
        )
    name, least = min(found.items(), key=lambda item: item[1].rate or 0.0)
    if least.rate is None:
        raise LabError(f"--rate auto: this machine carries no rate on {name} ({least.why()}); free its CPUs")
    profile = replace(settled.profile, rate=least.rate, why=f"{FOUND}: {least.why()}")
    return replace(settled, profile=profile, topology=settled.topology.with_rate(least.rate))


def foresee(settled: RunPlan, emit: Emit) -> None:
    """Say of overlays whose rate plainly is more than this machine carries that it is."""
    from lab.events import Note
    from lab.runs.capacity_estimate import warning

    for name, overlay in settled.overlays.items():
        if said := warning(name, overlay, settled.topology):
            emit(Note(said))
