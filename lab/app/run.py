"""A run on emulated hosts, and the steps that it shares with a run on real machines.

The two differ only in how the hosts are made (`PreparedLab`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from lab.app import capacity
from lab.app.request import RunPlan, RunRequest
from lab.app.trial import measurable
from lab.emulation.emulation import Emulation
from lab.emulation.links.calibration import calibrate
from lab.emulation.registry import NONE
from lab.errors import LabError
from lab.events import Emit, Event, Note, StepDone, step
from lab.feed.recorder import recorded
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.live.session import recorded_while
from lab.measure.machine import NothingToRecord
from lab.runs.environment import PACKAGES_FILE, boot, environment, installed
from lab.runs.event_log import logging
from lab.runs.experiment import Experiment, Profile
from lab.runs.manifest import Manifest, RunSession, check_same
from lab.runs.run_folder import READ_BACK, RunFolder, read, try_to_write
from lab.runs.runner import described, run_experiment
from lab.runs.target import RunTarget
from lab.topology import Topology
from lab.util.files import sha256


@dataclass(frozen=True)
class PreparedLab:
    """Hosts that are up, emulated or real, with what the run's manifest says about them."""

    target: RunTarget
    shaper: str
    environment: dict[str, Any]
    calibration: dict[str, dict[str, float]]
    #: Called with the run's folder once it exists.
    on_folder: Callable[[Path], None] = lambda _: None
    #: Texts for the run's folder, by the names of their files.
    files: Mapping[str, str] = field(default_factory=dict)
    #: The id of the emulated lab; "" for real machines, and in virtual time.
    lab: str = ""


async def emulate(request: RunRequest, plan: RunPlan, emit: Emit) -> tuple[int, Path]:
    """Build a lab, measure on it, and remove it; returns the exit status and the run's folder.

    Raises:
        LabError: the lab did not come up, or its links died; nothing is left of it.
    """
    timing: dict[str, float] = {}
    if request.resume is None:
        try_to_write(request.results)
    async with AsyncExitStack() as stack:
        run: RunCommand = command.run
        if request.trace:
            run = stack.enter_context(closing(command.Trace(request.trace)))
        if plan.rate_to_be_found:
            plan = await capacity.with_found_rate(request, plan, timed(emit, timing))
        emit(Note(f"{plan.experiment.name} on {plan.topology.name}: links at {plan.conditions()}"))
        if request.clock == "real":
            capacity.warn_of_overload(plan, emit)
        told = timed(emit, timing)
        lab = Emulation(plan.topology, shaper=request.shaper, run=run, emit=told, daemons=plan.daemons)
        emulation = await stack.enter_async_context(lab)
        prepared = await prepare_emulated(emulation, request, plan, emit)
        if request.prompt:
            await asyncio.to_thread(prompt, emulation)
        outcome = await measure_on(prepared, request, plan, timing, emit)
        if request.keep:
            emulation.keep()
            emit(Note(f"lab {emulation.name} stays up; 'lab down {emulation.name}' removes it"))
        return outcome


async def prepare_emulated(
    emulation: Emulation, request: RunRequest, plan: RunPlan, emit: Emit
) -> PreparedLab:
    """Measure the links of an emulation that is up, and return it as a run needs it.

    Raises:
        ShaperError: a link is not as asked, and `request` does not accept that.
    """
    with step(emit, "calibration of links") as words:
        calibration, off = await calibrate(emulation.links, emulation.shaper, accept=request.accept_links)
        words.append(f"{len(calibration)} links, {len(off)} faults" if off else f"{len(calibration)} links")
    for fault in off:
        emit(Note(f"accepted: {fault}"))
    target = measurable(emulation, plan.topology, plan.experiment.interval, emit)
    if request.clock == "virtual":
        target = replace(target, machine=NothingToRecord(), clock="virtual", costs=request.costs)
    elif not request.lab:  # whose record is of what stays on it
        target = replace(target, while_up=partial(recorded_while, emulation))
    return PreparedLab(
        replace(target, accepted=off),
        emulation.shaper.name,
        {**environment(await emulation.versions()), "daemons": emulation.daemons},
        calibration,
        files={READ_BACK: await _read_back(emulation)},
        lab="" if request.clock == "virtual" else emulation.lab_id,
    )


async def _read_back(emulation: Emulation) -> str:
    """Return the settings of all links as the kernel reports them, as JSON: by link and direction."""
    found = await emulation.shaper.read_back_all()
    shapes = {link: {way: asdict(shape) for way, shape in ways.items()} for link, ways in found.items()}
    return json.dumps({"shaper": emulation.shaper.name, "links": shapes}, indent=1) + "\n"


async def measure_on(
    prepared: PreparedLab, request: RunRequest, plan: RunPlan, timing: dict[str, float], emit: Emit
) -> tuple[int, Path]:
    """Measure on hosts that are up; returns the exit status and the run's folder.

    `timing` has the time (s) that each step of bringing them up took.
    """
    with open_folder(request, new_manifest(request, plan, prepared), emit) as folder:
        folder.manifest.timing["bring-up"] = timing
        folder.save()
        prepared.on_folder(folder.path)
        for name, text in prepared.files.items():
            folder.store(name, text)
        emit(Note(f"results go to {folder.path}"))
        try:
            with _recorded(folder, prepared, request, plan, logging(folder.path / "log", emit)) as told:
                outcome = await run_experiment(
                    plan.experiment,
                    prepared.target,
                    plan.overlays,
                    plan.profile,
                    folder,
                    emit=told,
                    keep_installed=plan.keep_installed,
                )
        except asyncio.CancelledError:
            if not request.lab:  # whose run cannot be resumed
                emit(Note(f"samples are kept; the same command with --resume {folder.path} goes on"))
            raise
    return outcome.status, folder.path


def _recorded(
    folder: RunFolder, prepared: PreparedLab, request: RunRequest, plan: RunPlan, emit: Emit
) -> AbstractContextManager[Emit]:
    """Return the recording of a run, as a context. A box makes none: the process outside records."""
    if request.clock == "virtual":
        return nullcontext(emit)
    return recorded(folder, plan.all_cells(request.only), prepared.lab, emit, measure=request.record)


def timed(emit: Emit, timing: dict[str, float]) -> Emit:
    """Return an `Emit` that also keeps in `timing` how long each step took (s)."""

    def both(event: Event) -> None:
        if isinstance(event, StepDone):
            timing[event.step] = round(event.seconds, 3)
        emit(event)

    return both


def new_manifest(request: RunRequest, plan: RunPlan, prepared: PreparedLab) -> Manifest:
    """Build the manifest of a run that begins now; a seed that is not given is drawn."""
    return begun_as_asked(
        request,
        plan,
        shaper=prepared.shaper,
        costs=dict(request.costs),
        seed=seed_of(request),
        on_fallback=request.on_fallback,
        environment=prepared.environment,
        calibration=prepared.calibration,
        accepted=list(prepared.target.accepted),
    )


def seed_of(request: RunRequest) -> int:
    """Return the seed that was asked for, or a drawn one."""
    return request.seed if request.seed is not None else secrets.randbelow(2**31)


def begun_as_asked(request: RunRequest, plan: RunPlan, **more: Any) -> Manifest:
    """Build the manifest of a run on hosts that begins now, from what was asked and with `more` fields."""
    asked = {
        "only": list(request.only),
        "rate": plan.profile.rate,
        "clock": request.clock,
        "overlays": {name: described(overlay) for name, overlay in plan.overlays.items()},
    }
    return begun(plan.experiment, plan.topology, plan.profile, **{**asked, **more})


def begun(experiment: Experiment, topology: Topology, profile: Profile, **more: Any) -> Manifest:
    """Build the manifest of a run that begins now, with `more` of its fields; without an id, one is drawn."""
    session = this_session()
    always = {
        "run": secrets.token_hex(3),
        "experiment": experiment.name,
        "created": session.started,
        "topology": topology.to_dict(),
        "profile": asdict(profile),
        "bring_ups": profile.bring_ups,
        "sessions": [session],
        "claims": {file.name: sha256(file) for file in experiment.claims_files},
    }
    return Manifest(**{**always, **more})


def this_session() -> RunSession:
    """Describe this command as one that works on a run."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return RunSession(started=started, command=sys.argv[:], boot=boot())


def open_folder(request: RunRequest, manifest: Manifest, emit: Emit) -> RunFolder:
    """Return a new run folder, or the one to go on with, after a check that the conditions are the same."""
    if request.resume is None:
        folder = RunFolder.create(request.results, manifest)
        folder.store(PACKAGES_FILE, installed())
        return folder
    stored = read(request.resume).manifest
    same = {"only": stored.only, "seed": stored.seed}
    check_same(stored, manifest.model_copy(update=same))
    folder = RunFolder.resume(request.resume, this_session())
    if folder.repaired:
        emit(Note(folder.repaired))
    return folder


def prompt(lab: Emulation) -> None:
    """Open Mininet's prompt on a running lab; returns when the user leaves it.

    Raises:
        LabError: its hosts are no containers.
    """
    from lab.containernet import CLI, Containernet, setLogLevel

    if lab.daemons == NONE:
        raise LabError(
            f"lab {lab.name} has hosts without Docker, which Mininet's prompt cannot enter: use 'lab shell'"
        )

    setLogLevel("info")
    net = Containernet(lab)
    try:
        CLI(net)
    finally:
        net.stop()
