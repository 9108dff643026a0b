"""`emulate --lab`: an experiment on a lab that is up, which stays as it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.app import run
from lab.errors import LabError, UnknownName
from lab.events import Emit, Note
from overlays.base import Overlay

if TYPE_CHECKING:
    from lab.live.session import Session


def emulate(asked: run.RunRequest) -> int:
    """Measure, show, and leave the lab up; returns the exit status.

    Raises:
        UnknownName: there is no such lab.
        LabError: it belongs to another command, or an option is for a lab that is still to be made.
    """
    from lab.cli.console import progress
    from lab.cli.lab_lock import changing, wait
    from lab.emulation.registry import find

    if asked.topology or asked.rate is not None or asked.resume:
        raise LabError("--topology, --rate and --resume are for a lab that is made; --lab has one that is")
    record = find(asked.lab)
    experiment = run.load_experiment(asked.experiment)
    with progress() as emit, changing(record, emit):
        status, path = wait(_run(asked, record.lab_id, emit))
    run.show_results(experiment, path)
    return max(status, run.tell_faults(experiment, path))


async def _run(asked: run.RunRequest, lab_id: str, emit: Emit) -> tuple[int, Path]:
    from lab.live.session import Session

    session = Session.attach(lab_id, emit=emit)
    settled = settle(asked, session)
    emit(Note(f"{settled.experiment.name} on lab {session.lab.name}, its links as they are"))
    ground = await run.emulated(session.lab, asked, settled, emit)
    return await run.measure_on(ground, asked, settled, {}, emit)


def settle(asked: run.RunRequest, session: Session) -> run.RunPlan:
    """As `assemble.parts`, but for what the lab has already: its topology, and its overlays."""
    experiment = run.load_experiment(asked.experiment)
    if asked.profile not in experiment.profiles:
        raise UnknownName("profile", asked.profile, experiment.profiles)
    profile = run.adjusted(experiment.profiles[asked.profile], asked)
    own = replace(profile, rate=None, cpus=None, why=f"as lab {session.lab.name} has them")
    chosen = run.choose_overlays(experiment, asked.overlays or session.specs)
    return run.RunPlan(experiment, session.topology_now(), own, staying(chosen, session))


def staying(chosen: Mapping[str, Overlay], session: Session) -> dict[str, Overlay]:
    """The overlays of an experiment; those that the lab has are taken up, and left on it at the end."""
    for spec, overlay in chosen.items():
        if spec in session.specs:
            overlay.uninstall = _leave_it  # type: ignore[method-assign]
    return dict(chosen)


async def _leave_it() -> None:
    """In place of taking an overlay off."""
