"""Putting a run on real machines together: inventory, testbed, overlays, and what killed runs left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab import catalog
from lab.app import run
from lab.cli.export_dsl import tell
from lab.errors import LabError
from lab.events import Emit, Event, Note, StepDone, step
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.testbed.inventory import Inventory
    from lab.testbed.testbed import Testbed

InventoryFile = Annotated[
    Path, typer.Option("--inventory", "-i", help="Which machine is which host; see 'lab inventory'.")
]
AcceptNew = Annotated[
    bool, typer.Option(help="Write the keys of hosts that were never seen into known_hosts.")
]
Steal = Annotated[bool, typer.Option(help="Take the hosts over from whoever has claimed them.")]


@dataclass(frozen=True)
class Booked:
    """An inventory, and the topology that it is for."""

    inventory: Inventory
    topology: Topology
    path: Path
    #: The topology's name, or its file as found from here.
    name: str = ""

    def bed(
        self, emit: Emit, *, accept_new: bool = False, steal: bool = False, trace: Path | None = None
    ) -> Testbed:
        from lab.testbed.testbed import Testbed

        return Testbed(
            self.inventory,
            self.topology,
            self.path,
            accept_new=accept_new,
            steal=steal,
            trace=trace,
            emit=emit,
        )


def booked(path: Path) -> Booked:
    """The inventory in a file, with its topology: by name, or in a file beside it.

    Raises:
        InventoryError: naming every fault.
        UnknownName, TopologyError, DslError: no topology.
    """
    from lab.testbed import inventory

    found = inventory.read(path)
    beside = path.parent / found.topology
    name = str(beside) if beside.is_file() else found.topology
    topology = catalog.topology(name, emit=tell)
    inventory.check(found, topology, str(path))
    return Booked(found, topology, path, name)


async def measure(
    asked: run.RunRequest, path: Path, emit: Emit, *, accept_new: bool, steal: bool
) -> tuple[int, Path]:
    """Measure on real machines that are prepared; returns the exit status and the run's folder."""
    from lab.runs.run_folder import HOSTS, try_to_write
    from lab.runs.target import RunTarget
    from lab.testbed import prepare
    from lab.testbed.recorder import HostsRecorder

    book = booked(path)
    settled = run.parts(replace(asked, topology=book.name))
    run.refuse_nothing(asked, settled)
    if asked.resume is None:
        try_to_write(asked.results)
    topology = book.topology.with_rate(settled.profile.rate) if settled.profile.rate else book.topology
    timing: dict[str, float] = {}
    book = replace(book, topology=topology)
    async with book.bed(_timed(emit, timing), accept_new=accept_new, steal=steal, trace=asked.trace) as bed:
        plane = await prepare.ready_data_plane(bed)
        await sweep(bed, emit)
        ground = run.PreparedLab(
            RunTarget(plane.topology, bed.hosts, HostsRecorder(bed.hosts, settled.experiment.interval)),
            "",
            {**bed.facts(), "clocks": plane.clocks},
            {name: dict(row) for name, row in plane.rtts.items()},
            begun=lambda path: bed.log_output(path / HOSTS),
        )
        await noted(bed, list(settled.overlays))
        settled = replace(settled, topology=plane.topology)
        status, folder = await run.measure_on(ground, asked, settled, timing, emit)
        await forget(bed, folder)
    return status, folder


def _timed(emit: Emit, timing: dict[str, float]) -> Emit:
    def both(event: Event) -> None:
        if isinstance(event, StepDone):
            timing[event.step] = round(event.seconds, 3)
        emit(event)

    return both


async def noted(bed: Testbed, names: Sequence[str]) -> None:
    """Write down on every host which overlays are about to be put on it."""
    from lab.testbed import restore
    from lab.util.concurrency import together

    await together(restore.append_names(host, restore.OVERLAYS, list(names)) for host in bed.hosts.values())


async def forget(bed: Testbed, folder: Path) -> None:
    """Strike off what was taken off the hosts in order; the rest is swept later."""
    from lab.runs.run_folder import read
    from lab.testbed import restore
    from lab.util.concurrency import together

    states = read(folder).manifest.overlays
    rest = [name for name, overlay in states.items() if overlay.state in ("failed", "pending")]
    await together(restore.write_names(host, restore.OVERLAYS, rest) for host in bed.hosts.values())


async def sweep(bed: Testbed, emit: Emit) -> list[str]:
    """Take off the hosts what runs that were killed left of their overlays; says what did not go.

    An overlay is taken up where it was left: installing twice changes nothing, and makes it whole.
    """
    from lab.testbed import restore
    from lab.util.concurrency import together

    rows = await together(restore.read_names(host, restore.OVERLAYS) for host in bed.hosts.values())
    names = list(dict.fromkeys(name for row in rows for name in row))
    left = [fault for name in names if (fault := await _take_off(bed, name, emit))]
    if names and not left:
        await together(restore.write_names(host, restore.OVERLAYS, []) for host in bed.hosts.values())
    return left


async def _take_off(bed: Testbed, name: str, emit: Emit) -> str:
    from overlays import registry

    overlay = registry.parse(name)
    try:
        with step(emit, f"{name}: what a run before left"):
            await overlay.install(tuple(bed.hosts.values()), bed.topology)
            await overlay.uninstall()
    except LabError as error:
        emit(Note(f"{name} could not be taken off every host: {error}"))
        return f"{name}: {error}"
    return ""


def prerequisites(facts: Mapping[str, object], names: Sequence[str]) -> list[tuple[str, str, str]]:
    """What hosts lack for overlays: host, overlay, and what with its remedy."""
    from lab.hosts.host import HostFacts
    from overlays import registry

    said = []
    for host, one in facts.items():
        assert isinstance(one, HostFacts)
        for name in names or registry.names():
            missing = registry.parse(name).prerequisites(one)
            said += [(host, name, f"{each.what}; {each.remedy}") for each in missing]
    return said
