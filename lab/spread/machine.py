"""A worker's machine: its description, its fitness for a run, and its own cleaning."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import doctor
from lab.app.block_order import BlockOrder
from lab.app.boxes import programs_by_name
from lab.emulation.registry import NONE
from lab.errors import LabError, MachineError
from lab.hosts import command
from lab.images import roots
from lab.runs import capacity_estimate
from lab.runs.environment import environment
from lab.spread.messages import Inquiry, WorkerMachine
from lab.topology import Topology
from lab.util.files import sha256
from lab.util.version import version
from lab.virtual import kernel
from lab.virtual.box import missing_programs
from overlays import registry

#: What must be the same on all machines of a run, beside `versions`, in words.
SAME = {"lab": "the lab", "arch": "the processor architecture", "box": "the kernel of virtual time"}


async def examine() -> list[str]:
    """Return what this machine lacks for labs, with the remedies; see `lab.doctor`."""
    found = await doctor.examine()
    return [f"{one.name}: {one.found}; {one.remedy}" for one in found if one.state == "missing"]


async def describe(name: str, inquiry: Inquiry) -> WorkerMachine:
    """Describe this machine, and name what is missing on it for the blocks of a run."""
    order = inquiry.order
    made = kernel.find() if order.clock == "virtual" else None
    here = environment({"lab": version()})
    missing = [] if order.clock == "virtual" else await examine()
    images, lacking = await _images(order)
    return WorkerMachine(
        name=name,
        lab=version(),
        kernel=here["kernel"],
        arch=here["machine"]["arch"],
        cpus=here["machine"]["cpus"],
        cpu=here["machine"]["cpu"],
        memory_mib=here["machine"]["memory_mib"],
        sysctls=here["sysctls"],
        versions={**here["versions"], **images, **_programs()},
        box=made.identity if made else "",
        box_kernel=f"{made.version}, user-mode, of {made.source}" if made else "",
        missing=[*missing, *lacking, *_unfit(inquiry)],
        capacity=_capacity(inquiry),
    )


def differences(one: WorkerMachine, other: WorkerMachine) -> list[str]:
    """Return in words in what another machine differs from one, of what must be the same in a run."""
    found = [
        f"{words} is {getattr(other, name) or 'none'}, elsewhere {getattr(one, name) or 'none'}"
        for name, words in SAME.items()
        if getattr(one, name) != getattr(other, name)
    ]
    names = sorted((one.versions.keys() | other.versions.keys()) - {"lab"})
    return found + [
        f"{name} is {other.versions.get(name, 'none')}, elsewhere {one.versions.get(name, 'none')}"
        for name in names
        if one.versions.get(name) != other.versions.get(name)
    ]


async def _images(order: BlockOrder) -> tuple[dict[str, str], list[str]]:
    """Return the images of this machine by digest, and what is missing."""
    if order.daemons == NONE:
        there = {"root file systems": roots.inputs()} if roots.find() else {}
        return there, [] if there else ["root file systems: not exported; lab images build"]
    shown = ["--no-trunc", "--format", "{{.Repository}} {{.ID}}", "lab/*"]
    listed = await command.run(["docker", "image", "ls", *shown], check=False)
    rows = [line.split() for line in listed.stdout.splitlines()]
    ids = {row[0]: row[1] for row in rows if len(row) == 2}
    return ids, [] if ids else ["images: not there; lab images build"]


def _programs() -> dict[str, str]:
    """Return the programs of overlays that variables name, by the hash of the file."""
    files = {name: path for name, path in programs_by_name().items() if Path(path).is_file()}
    return {name: sha256(Path(path)) for name, path in files.items()}


def _unfit(inquiry: Inquiry) -> list[str]:
    """Return what this machine cannot do for the blocks of a run."""
    order = inquiry.order
    lacking = ((name, registry.parse(name).obtainable()) for name in inquiry.overlays)
    found = [f"overlay {name}: {one.what}; {one.remedy}" for name, one in lacking if one]
    if order.clock == "virtual":
        found += [] if kernel.find() else ["kernel of virtual time: not built; lab images build --virtual"]
        return found + [f"program {name}: not found" for name in missing_programs()]
    cpus, most = len(os.sched_getaffinity(0)), order.profile.cpus or 0
    if most > cpus:
        found.append(f"processors: {cpus}, and a host needs {most:g}")
    return found + _overloads(inquiry)


def _overloads(inquiry: Inquiry) -> list[str]:
    topology = Topology.from_dict(inquiry.order.topology)
    warnings = (capacity_estimate.warning(name, registry.parse(name), topology) for name in inquiry.overlays)
    return [warning for warning in warnings if warning]


def _capacity(inquiry: Inquiry) -> str:
    """Return the rates that `lab capacity` found on this machine for these overlays, in words."""
    topology = Topology.from_dict(inquiry.order.topology)
    rates = {name: capacity_estimate.recorded(name, topology) for name in inquiry.overlays}
    return ", ".join(f"{name} {rate:g} Mbit/s" for name, rate in rates.items() if rate)


async def clean(argv: Sequence[str] = (sys.executable, "-m", "lab", "cleanup")) -> str:
    """Remove what killed labs left on this machine, by its own `lab cleanup`; returns what that printed.

    Raises:
        MachineError: something could not be removed.
    """
    if os.geteuid() != 0:
        return ""
    try:
        done = await command.run(list(argv), check=False)
    except LabError as error:
        raise MachineError(f"this machine cannot be cleaned: {error}") from error
    if done.status:
        raise MachineError(f"this machine cannot be cleaned: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def default_name() -> str:
    """Return the name that a worker has unless told: that of its machine."""
    return platform.node() or "machine"
