"""Real machines: survey, preparation, a run on them, and their first state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab import catalog
from lab.errors import HostError, LabError
from lab.events import Emit, Note, step
from lab.runs.run_folder import HOSTS, read, try_to_write
from lab.runs.target import RunTarget
from lab.testbed import inventory, provision
from lab.testbed import prepare as preparation
from lab.testbed import restore as restoring
from lab.testbed.inventory import Inventory
from lab.testbed.recorder import HostsRecorder
from lab.testbed.survey import host_facts, survey
from lab.testbed.testbed import Testbed
from lab.topology import Topology
from lab.util.concurrency import together
from overlays import registry

if TYPE_CHECKING:
    from lab.app.request import RunPlan, RunRequest
    from lab.hosts.host import HostFacts


@dataclass(frozen=True)
class BookedTestbed:
    """An inventory of machines, the topology that it is for, and how to enter them."""

    inventory: Inventory
    topology: Topology
    path: Path
    #: The topology's name, or its file as found from here.
    name: str = ""
    #: Write the keys of hosts that were never seen into known_hosts.
    accept_new: bool = False
    #: Take the hosts over from whoever has claimed them.
    steal: bool = False

    def open(self, emit: Emit, trace: Path | None = None) -> Testbed:
        """Return the machines, to be connected to."""
        enter = {"accept_new": self.accept_new, "steal": self.steal}
        return Testbed(self.inventory, self.topology, self.path, trace=trace, emit=emit, **enter)


def load_testbed(path: Path, emit: Emit, *, accept_new: bool = False, steal: bool = False) -> BookedTestbed:
    """Read the inventory in a file, with its topology: by name, or in a file beside it.

    Raises:
        InventoryError: naming every fault.
        UnknownName, TopologyError, DslError: no topology.
    """
    found = inventory.read(path)
    beside = path.parent / found.topology
    name = str(beside) if beside.is_file() else found.topology
    topology = catalog.topology(name, emit=emit)
    inventory.check(found, topology, str(path))
    return BookedTestbed(found, topology, path, name, accept_new, steal)


@dataclass(frozen=True)
class MachineCheck:
    """Machines that were reached and surveyed, and what is wrong with them."""

    bed: Testbed
    #: What stands in the way, a sentence each.
    troubles: Sequence[str]
    #: Host, overlay, and what that host lacks for it.
    unable: Sequence[tuple[str, str, str]]


async def check(booked: BookedTestbed, overlays: Sequence[str], emit: Emit) -> MachineCheck:
    """Reach and survey all machines, for these overlays or for all; changes nothing on them."""
    bed = booked.open(emit)
    facts: dict[str, HostFacts] = {}
    try:
        with step(emit, "connections") as words:
            faults = await bed.reach()
            words.append(f"{len(bed.hosts)} of {len(faults)} hosts")
        troubles = [str(fault) for fault in faults if fault]
        with step(emit, "what is there"):
            troubles += await _survey(bed, facts)
    finally:
        await bed.close()
    unable = [
        (host, name, f"{missing.what}; {missing.remedy}")
        for host, have in facts.items()
        for name in overlays or registry.names()
        for missing in registry.parse(name).prerequisites(have)
    ]
    return MachineCheck(bed, troubles, unable)


async def _survey(bed: Testbed, facts: dict[str, HostFacts]) -> list[str]:
    """Survey the hosts that were reached, each by itself; returns the obstacles."""
    troubles = []

    async def survey_one(name: str) -> None:
        host = bed.hosts[name]
        try:
            bed.surveys[name] = await survey(host)
            bed.control_interfaces[name] = await bed.control_interface(name)
            facts[name] = await host_facts(host)
            bed.ports_of(name)
            provision.require_room(name, bed.surveys[name])
        except HostError as error:
            troubles.append(str(error))

    await together(survey_one(name) for name in bed.hosts)
    return sorted(troubles)


async def prepare(booked: BookedTestbed, emit: Emit, *, persist: bool, dry_run: bool) -> list[str]:
    """Make every machine ready; returns what was done, or with `dry_run` would be, in words."""
    async with booked.open(emit) as bed:
        if not dry_run:
            return await preparation.prepare(bed, persist=persist) or ["every host was ready"]
        await bed.survey()
        await bed.find_control_interfaces()
        await bed.find_ports(discover=False)
        rows = preparation.planned_steps(bed, persist=persist)
        return [line for name, lines in rows.items() for line in (f"{name}:", *(f"  {x}" for x in lines))]


async def measure(request: RunRequest, plan: RunPlan, booked: BookedTestbed, emit: Emit) -> tuple[int, Path]:
    """Measure on real machines that are prepared; returns the exit status and the run's folder."""
    from lab.app import run  # imports what emulates, which no other verb here needs
    from lab.emulation.ownership import LabState

    if request.resume is None:
        try_to_write(request.results)
    if plan.profile.rate:
        booked = replace(booked, topology=booked.topology.with_rate(plan.profile.rate))
    timing: dict[str, float] = {}
    async with booked.open(run.timed(emit, timing), request.trace) as bed:
        plane = await preparation.ready_data_plane(bed)
        await remove_leftover_overlays(bed, emit)
        prepared = run.PreparedLab(
            RunTarget(plane.topology, bed.hosts, HostsRecorder(bed.hosts, plan.experiment.interval)),
            "",
            {**bed.facts(), "clocks": plane.clocks},
            {name: dict(row) for name, row in plane.rtts.items()},
            on_folder=lambda path: bed.log_output(path / HOSTS),
            lab=stand_ins.lab_id if (stand_ins := LabState.around()) else "",
        )
        hosts = bed.hosts.values()
        names = list(plan.overlays)
        await together(restoring.append_names(host, restoring.OVERLAYS, names) for host in hosts)
        plan = replace(plan, topology=plane.topology)
        status, folder = await run.measure_on(prepared, request, plan, timing, emit)
        # what was taken off the hosts in order is struck off the notes; the rest is swept later
        states = read(folder).manifest.overlays
        rest = [name for name, overlay in states.items() if overlay.state in ("failed", "pending")]
        await together(restoring.write_names(host, restoring.OVERLAYS, rest) for host in hosts)
    return status, folder


async def remove_leftover_overlays(bed: Testbed, emit: Emit) -> list[str]:
    """Remove from the hosts the overlays that killed runs left; returns those that could not be removed.

    An overlay is taken up where it was left: installing twice changes nothing, and makes it whole.
    """
    rows = await together(restoring.read_names(host, restoring.OVERLAYS) for host in bed.hosts.values())
    names = list(dict.fromkeys(name for row in rows for name in row))
    left = [fault for name in names if (fault := await _remove_overlay(bed, name, emit))]
    if names and not left:
        await together(restoring.write_names(host, restoring.OVERLAYS, []) for host in bed.hosts.values())
    return left


async def _remove_overlay(bed: Testbed, name: str, emit: Emit) -> str:
    overlay = registry.parse(name)
    try:
        with step(emit, f"{name}: remains of an earlier run"):
            await overlay.install(tuple(bed.hosts.values()), bed.topology)
            await overlay.uninstall()
    except LabError as error:
        emit(Note(f"{name} could not be removed from every host: {error}"))
        return f"{name}: {error}"
    return ""


async def restore(booked: BookedTestbed, emit: Emit) -> tuple[int, list[str]]:
    """Remove everything from the machines that `prepare` and runs put there.

    Returns the exit status, 1 when something is not as it was, and that in words.
    """
    async with booked.open(emit) as bed:
        await bed.survey()
        if not any(found.first("before") for found in bed.surveys.values()):
            return 0, ["nothing of the lab is on these hosts"]
        await bed.claim()
        words = await remove_leftover_overlays(bed, emit)
        with step(emit, "hosts as they were"):
            rows = await together(restoring.restore(host) for host in bed.hosts.values())
        bed.forget_claim()
    faulty = bool(words) or any(row.left for row in rows if row)
    for row in filter(None, rows):
        words += [f"{row.host}: {what}" for what in row.left]
        if row.packages:
            words.append(f"{row.host}: packages that stay: {', '.join(row.packages)}")
    return int(faulty), words or ["every host is as it was"]
