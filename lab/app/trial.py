"""One lab with one overlay on it, on which single samples are measured and judged as in a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.emulation.registry import DOCKER
from lab.events import Emit, silent
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.runs.bring_up import Phases, bring_up
from lab.runs.daemon_watch import Watch
from lab.runs.experiment import Cell, Experiment
from lab.runs.measurement import Sampler
from lab.runs.plan import Task
from lab.runs.progress import Progress
from lab.runs.sample import Sample
from lab.runs.target import RunTarget
from lab.topology import Topology
from overlays.base import Overlay

if TYPE_CHECKING:
    from lab.emulation.emulation import Emulation


def measurable(
    lab: Emulation, topology: Topology, interval: float | None = None, emit: Emit = silent
) -> RunTarget:
    """The lab as the run engine sees it: hosts, the recorders of machine and links, and events during a
    sample, of which `emit` is told.
    """
    from lab.emulation.links.replay import Replay
    from lab.measure.cgroups import folders
    from lab.measure.machine import MachineRecorder

    groups = {  # light hosts have none of their own, so there is no record of their CPU
        name: folders(Path(f"/proc/{lab.pids[name]}/cgroup").read_text(), container)
        for name, container in lab.container_ids.items()
    }
    links = lab.running_links()
    return RunTarget(
        topology,
        lab.hosts,
        MachineRecorder(groups, interval=interval),
        lab.shaper.counters,
        links.check,
        cost=lab.shaper.cost,
        script=lambda: Replay(links, topology.schedule, emit),
    )


@dataclass
class TrialLab:
    """An overlay that is up; `sample` measures a cell of the experiment on it."""

    emulation: Emulation
    sampler: Sampler

    async def sample(self, cell: Cell) -> Sample:
        """One repetition of a cell, with its verdict; nothing is stored.

        Raises:
            ShaperError: the links died before the sample began.
        """
        sample, _ = await self.sampler.measure(Task(cell, 1))
        return sample

    async def set_rate(self, rate: float) -> None:
        """Set every link, in both directions, to a rate (Mbit/s); nothing is torn down.

        Raises:
            ShaperError: a link does not take it.
        """
        for link in self.emulation.links:
            await self.emulation.shaper.change(link.name, rate=rate)


@asynccontextmanager
async def trial(
    topology: Topology,
    overlay: Overlay,
    experiment: Experiment,
    cells: Sequence[Cell],
    *,
    shaper: str = "auto",
    daemons: str = DOCKER,
    run: RunCommand = command.run,
    emit: Emit = silent,
) -> AsyncIterator[TrialLab]:
    """Build a lab, bring an overlay up on it as a run does, and remove all of it afterwards.

    Each metric of `cells`, which the experiment is going to measure, is warmed up.

    Raises:
        LabError: it does not come up; nothing is left.
    """
    from lab.emulation.emulation import Emulation

    async with AsyncExitStack() as stack:
        emulation = Emulation(topology, shaper=shaper, run=run, emit=emit, daemons=daemons)
        await stack.enter_async_context(emulation)
        phases = Phases(overlay.name, emit)
        endpoints = await bring_up(overlay, emulation.hosts, topology, phases, experiment, cells)
        watch = await stack.enter_async_context(Watch(overlay))
        target = measurable(emulation, topology, experiment.interval)
        sampler = Sampler(experiment, overlay, endpoints, target, "trial", Progress(()), silent, watch)
        await sampler.begin()
        yield TrialLab(emulation, sampler)
