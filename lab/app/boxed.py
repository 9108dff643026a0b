"""A run of an experiment in a machine that counts instructions: boots, samples, and where instructions go."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import catalog
from lab.app.request import RunRequest, choose_profile, load_experiment
from lab.app.run import begun, open_folder
from lab.errors import LabError, MeasureError, RunError, UnknownName
from lab.events import Emit, Note, step
from lab.icount import kernel, machine, profile, programs
from lab.icount.kernel import DebianKernel
from lab.icount.programs import QEMU
from lab.runs.boxed import BoxedExperiment
from lab.runs.environment import packages
from lab.runs.experiment import Cell, Profile
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.run_folder import RunFolder, read, try_to_write
from lab.runs.runner import plan_cells
from lab.runs.sample import Sample
from lab.topology import Topology
from lab.util.concurrency import together

#: How the programs whose versions are stored are asked for them.
VERSIONS = {
    QEMU: ("--version",),
    "gcc": ("--version",),
    "ip": ("-V",),
    "tc": ("-V",),
    "ethtool": ("--version",),
}
#: Datagrams of the two boots of which the profile of code is the difference.
FEW, MANY = 1000, 3000
#: A file of the run folder, with instructions by path and function.
CODE = "reports/code.json"


@dataclass(frozen=True)
class BoxedPlan:
    """A run in a machine that counts, decided and checked before it boots."""

    experiment: BoxedExperiment
    topology: Topology
    profile: Profile
    paths: Sequence[str]
    only: Sequence[str]

    def cells(self) -> list[Cell]:
        """Return the cells that are stored."""
        grid = plan_cells(self.experiment, self.topology, self.paths, self.profile, self.only)
        return [cell for of_path in grid.values() for cell in of_path]

    @property
    def boots(self) -> int:
        """The number of boots that the profile asks for."""
        return self.profile.bring_ups


def plan(request: RunRequest) -> BoxedPlan:
    """Load and check what a request names.

    Raises:
        UnknownName: no experiment, profile or path has the name given.
        LabError: the experiment is one of those that are measured on hosts.
        RunError: the folder to resume is none of this experiment, or no cell is left.
    """
    experiment = load_experiment(request.experiment)
    if not isinstance(experiment, BoxedExperiment):
        raise LabError(f"{experiment.name} is measured on hosts; run 'lab run {experiment.name}'")
    if request.resume is None:
        for name in request.overlays:
            if name not in experiment.overlays:
                raise UnknownName("path", name, experiment.overlays)
        paths = [name for name in experiment.overlays if name in (request.overlays or experiment.overlays)]
        chosen, only = choose_profile(experiment, request), tuple(request.only)
    else:
        stored = read(request.resume).manifest
        if stored.experiment != experiment.name:
            raise RunError(f"{request.resume} is a run of {stored.experiment!r}, not of {experiment.name!r}")
        paths, chosen, only = list(stored.overlays), Profile(**stored.profile), tuple(stored.only)
    found = BoxedPlan(experiment, catalog.topology(experiment.topology), chosen, paths, only)
    if not found.cells():
        words = " or ".join(map(repr, only))
        raise RunError(f"no cell of {experiment.name} has {words} in its key")
    return found


async def count(
    request: RunRequest, plan: BoxedPlan, emit: Emit, package: Path | None = None, by_function: bool = False
) -> tuple[int, Path]:
    """Boot the machine as often as the profile asks, and store every sample; returns status and folder.

    Args:
        request: names the folder for results, or the run to go on with.
        plan: made from the request.
        emit: receives an event for every boot.
        package: the file of another kernel's package than the pinned one.
        by_function: also count where the instructions go, in two more boots per path.

    Raises:
        MachineError: this machine lacks a program, or the kernel cannot be fetched.
        MeasureError: a boot failed; what other boots measured is kept.
    """
    programs.require()
    if request.resume is None:
        try_to_write(request.results)
    with step(emit, "kernel and programs of the machine") as words:
        found = await kernel.ensure(package)
        archive = machine.initramfs(found, await plan.experiment.guest())
        words.append(found.name)
    manifest = await new_manifest(request, plan, found, archive)
    with open_folder(request, manifest, emit) as folder:
        emit(Note(f"results go to {folder.path}"))
        try:
            await _measure(plan, folder, found, archive, emit)
            if by_function:
                with step(emit, "instructions by function"):
                    folder.store(CODE, json.dumps(await functions(plan, found), indent=1))
        finally:
            done = {(sample.cell, sample.bring_up) for sample in folder.samples if sample.ok}
            wanted = {(c.key, n) for c in plan.cells() for n in range(1, plan.boots + 1)}
            folder.manifest.complete = wanted <= done
            for overlay in folder.manifest.overlays.values():
                overlay.state = "ok" if folder.manifest.complete else "pending"
            folder.save()
        return (0 if folder.manifest.complete else 1), folder.path


async def new_manifest(request: RunRequest, plan: BoxedPlan, found: DebianKernel, archive: bytes) -> Manifest:
    """Build the manifest of a run that begins now: kernel and machine are the guest's."""
    versions = await programs.versions(VERSIONS)
    return begun(
        plan.experiment,
        plan.topology,
        plan.profile,
        only=list(plan.only),
        shaper="none: hosts are namespaces on a veth, in a machine that counts instructions",
        seed=None,
        overlays={name: OverlayState(mode={"mode": "kernel path"}) for name in plan.paths},
        environment={
            "kernel": found.name,
            "machine": machine.description(found, archive),
            "sysctls": {},
            "versions": {"python": platform.python_version(), **packages(), **versions},
        },
    )


async def _measure(
    plan: BoxedPlan, folder: RunFolder, found: DebianKernel, archive: bytes, emit: Emit
) -> None:
    """Boot as often as samples are missing, one boot a processor; a boot is a bring-up of every path."""
    there = {(sample.cell, sample.bring_up) for sample in folder.samples if sample.ok}
    slots = asyncio.Semaphore(len(os.sched_getaffinity(0)))

    async def one(number: int) -> None:
        missing = [c for c in plan.cells() if (c.key, number) not in there]
        if not missing:
            return
        async with slots:
            with step(emit, f"boot {number} of {plan.boots}"):
                started, start = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
                console = await machine.boot(found, archive)
                took = time.monotonic() - start
        folder.store(f"log/boot-{number}.txt", console)
        for sample, raw in samples(plan, missing, console, number, folder.manifest.run):
            folder.append(sample.model_copy(update={"started": started, "seconds": round(took, 3)}), raw)

    await together(one(number) for number in range(1, plan.boots + 1))


def samples(
    plan: BoxedPlan, cells: Sequence[Cell], console: str, number: int, run: str
) -> list[tuple[Sample, str]]:
    """Make a sample of each cell from what one boot printed, with its raw text; a failed one says why."""
    rows = plan.experiment.rows(console)
    found = []
    for cell in cells:
        raw, values, error = rows.get(cell.key, ""), {}, None
        try:
            values = dict(plan.experiment.parse(cell.metric, raw))
        except MeasureError as trouble:
            error = str(trouble)
        sample = Sample(
            run=run,
            cell=cell.key,
            overlay=cell.overlay,
            metric=cell.metric,
            params=dict(cell.params),
            repetition=1,
            attempt=1,
            bring_up=number,
            started="",
            seconds=0.0,
            outcome="failed" if error else "ok",
            error=error,
            values=values,
            mode={"mode": "kernel path"},
        )
        found.append((sample, raw))
    return found


async def functions(plan: BoxedPlan, found: DebianKernel) -> Mapping[str, Mapping[str, float]]:
    """Return the instructions of one datagram by path and function.

    Raises:
        MeasureError: a boot failed, or this QEMU takes no plugins.
    """
    experiment, profiles = plan.experiment, {}
    for path in plan.paths:
        guests = [await experiment.profiled(path, number) for number in (FEW, MANY)]
        archives = [machine.initramfs(found, guest) for guest in guests]
        (few, many), symbols = await profile.counted(found, archives)
        datagrams = experiment.sent(MANY) - experiment.sent(FEW)
        profiles[path] = profile.by_function(few, many, symbols, datagrams)
    return profiles
