"""The highest link rate at which samples stay valid on this machine: a search, and a warning before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.app.request import RunPlan, RunRequest
from lab.app.trial import trial
from lab.errors import LabError
from lab.events import Emit, Note
from lab.runs import capacity, capacity_estimate
from lab.runs.capacity import LEAST, MOST, Capacity, CapacityTrial
from lab.runs.manifest import FOUND
from lab.runs.plan import chosen
from overlays import registry


async def find(
    name: str,
    plan: RunPlan,
    emit: Emit,
    *,
    least: float = LEAST,
    most: float = MOST,
    shaper: str = "auto",
    only: Sequence[str] = (),
) -> Capacity:
    """Find the capacity of this machine for one overlay on the plan's network, and keep it for later runs.

    Tries rates from `least` to `most` (Mbit/s). Of the plan's cells with a word of `only` in their key, it
    measures per metric the one with the most hops; `emit` receives a note for each rate.

    Raises:
        LabError: the lab or the overlay did not come up, or the links died; nothing is left.
    """
    overlay = registry.parse(name)  # one of its own: a run that follows installs another
    topology, experiment = plan.topology, plan.experiment
    hardest = capacity.hardest(chosen(experiment.cells(topology, name, plan.profile), only), topology)
    cells = [replace(cell, rate=most) for cell in hardest]  # what links carry first, and in the warm-up

    def tell(tried: CapacityTrial) -> None:
        words = f"{tried.cell}: {tried.state}: {'; '.join(tried.reasons)}" if tried.cell else "carried"
        emit(Note(f"{name} at {tried.rate:g} Mbit/s: {words}"))

    made = trial(
        topology.with_rate(most),
        overlay,
        experiment,
        cells,
        shaper=shaper,
        daemons=plan.daemons,
        emit=emit,
    )
    async with made as lab:
        found = await capacity.search(cells, lab.set_rate, lab.sample, least=least, most=most, tell=tell)
    capacity_estimate.remember(name, topology, found)
    return found


async def with_found_rate(request: RunRequest, plan: RunPlan, emit: Emit) -> RunPlan:
    """Return the plan with the highest rate that this machine carries on every obtainable overlay.

    Raises:
        LabError: no overlay is obtainable, or this machine carries no rate on one of them.
    """
    capacities = {
        name: await find(name, plan, emit, shaper=request.shaper, only=request.only)
        for name, overlay in plan.overlays.items()
        if not overlay.obtainable()
    }
    if not capacities:
        raise LabError("--rate auto: no overlay is available here; 'lab list overlays' gives the reasons")
    name, lowest = min(capacities.items(), key=lambda item: item[1].rate or 0.0)
    if lowest.rate is None:
        raise LabError(f"--rate auto: this machine carries no rate on {name} ({lowest.why()}); free its CPUs")
    profile = replace(plan.profile, rate=lowest.rate, why=f"{FOUND}: {lowest.why()}")
    return replace(plan, profile=profile, topology=plan.topology.with_rate(lowest.rate))


def warn_of_overload(plan: RunPlan, emit: Emit) -> None:
    """Emit a note for each overlay whose rate is clearly more than this machine carries."""
    for name, overlay in plan.overlays.items():
        if warning := capacity_estimate.warning(name, overlay, plan.topology):
            emit(Note(warning))
