"""An experiment on a lab that is up, which stays as it was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.app.request import (
    RunPlan,
    RunRequest,
    choose_overlays,
    choose_profile,
    load_experiment,
    require_cells,
    require_hosts,
)
from lab.app.run import measure_on, prepare_emulated
from lab.events import Emit, Note
from lab.live.session import Session


def plan_attached(request: RunRequest, session: Session) -> RunPlan:
    """Plan a run as `plan_run` does, with the lab's own topology and, if none are named, its overlays.

    Raises:
        UnknownName: no experiment, profile or overlay has the name that was given.
        NotObtainable: an overlay that was named and that this machine cannot supply.
        RunError: no cell is left to measure.
    """
    experiment = load_experiment(request.experiment)
    require_hosts(experiment)
    profile = replace(
        choose_profile(experiment, request), rate=None, cpus=None, why=f"as lab {session.lab.name} has them"
    )
    overlays = choose_overlays(experiment, request.overlays or session.specs)
    stay = frozenset(overlays) & frozenset(session.specs)
    if stay:  # what the lab has is not brought up again
        asked = request.repetitions is not None
        profile = replace(profile, bring_ups=1) if asked else profile.in_one_bring_up()
    plan = RunPlan(experiment, session.topology_now(), profile, overlays, keep_installed=stay)
    require_cells(plan, request.only)
    return plan


async def measure(request: RunRequest, plan: RunPlan, session: Session, emit: Emit) -> tuple[int, Path]:
    """Measure on the lab, and leave it up; returns the exit status and the run's folder.

    The lab's overlays are measured as they are, in the one bring-up that they have, and stay. Others
    are installed for the run, then removed.

    Raises:
        ShaperError: a link is not what it should be; nothing measured on it counts.
    """
    emit(Note(f"{plan.experiment.name} on lab {session.lab.name}, its links as they are"))
    prepared = await prepare_emulated(session.lab, request, plan, emit)
    return await measure_on(prepared, request, plan, {}, emit)
