"""A run in virtual time: one box per block, several side by side, and one run folder for all of them.

A block is one bring-up of one overlay, with a seed of its own. It needs nobody else, and virtual time is not
disturbed by neighbours: so blocks run side by side, one per processor. A finished block is kept in the run
folder; a resumed run boots only boxes of blocks that are not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.app import boxes, in_box
from lab.app.block_order import BlockOrder
from lab.app.blocks import BlockRun, folder_of, opened
from lab.app.request import TESTBED_RATE, RunPlan, RunRequest
from lab.app.run import begun_as_asked
from lab.emulation.registry import NONE
from lab.events import Emit, Note, from_json, step
from lab.runs.experiment import Cell
from lab.runs.manifest import Manifest
from lab.runs.plan import Block
from lab.runs.run_folder import RunFolder, StoredRun
from lab.runs.runner import Outcome
from lab.util.concurrency import together
from lab.virtual import first, pace
from lab.virtual.box import BoxProcess, Ended
from lab.virtual.kernel import Kernel


async def emulate(request: RunRequest, plan: RunPlan, emit: Emit) -> tuple[int, Path]:
    """Measure in virtual time; returns the exit status and the run's folder.

    Raises:
        BoxError: this machine cannot have boxes.
        MachineError: the kernel or the images cannot be made here; says what to do.
    """
    made = await asyncio.to_thread(boxes.prepare, list(plan.overlays.values()), emit)
    manifest = new_manifest(request, plan, made.identity, f"{made.version}, user-mode, of {made.source}")
    with opened(request, plan, manifest, emit) as (folder, told):
        if warning := too_long(request, plan, request.boxes or len(os.sched_getaffinity(0))):
            emit(Note(warning))
        await VirtualRun(request, plan, made, folder, told).carry_out()
        return Outcome(folder.manifest.overlays, ()).status, folder.path


def new_manifest(request: RunRequest, plan: RunPlan, identity: str, kernel: str) -> Manifest:
    """Return the manifest of a run that begins now; its id follows from all that decides its samples.

    `identity` is that of the kernel of boxes, and `kernel` describes it.
    """
    seed = request.seed or 0
    decides = [
        plan.experiment.name,
        plan.topology.to_dict(),
        asdict(plan.profile),
        sorted(plan.overlays),
        sorted(request.only),
        dict(request.costs),
        plan.profile.bring_ups,
        seed,
        identity,
    ]
    return begun_as_asked(
        request,
        plan,
        run=hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:6],
        shaper="netem",
        seed=seed,
        costs=dict(request.costs),
        environment={
            "kernel": kernel,
            "box": identity,
            "daemons": NONE,
        },
    )


class VirtualRun(BlockRun):
    """The blocks of one run, carried out side by side in boxes on this machine."""

    def __init__(
        self, request: RunRequest, plan: RunPlan, made: Kernel, folder: RunFolder, emit: Emit
    ) -> None:
        super().__init__(request, plan, folder, emit)
        self._kernel = made

    async def _carry_out(self, wanted: list[Block]) -> None:
        free: asyncio.Queue[int] = asyncio.Queue()
        for cpu in sorted(os.sched_getaffinity(0))[: self._request.boxes or None]:
            free.put_nowait(cpu)
        await together((self._one(block, free) for block in wanted), on_failure="cancel")

    async def _one(self, block: Block, free: asyncio.Queue[int]) -> None:
        cpu = await free.get()
        try:
            await self._boot(block, cpu)
        finally:
            free.put_nowait(cpu)
        self._collect()

    async def _boot(self, block: Block, cpu: int) -> None:
        folder = new_folder(folder_of(block, self._folder.path))
        order = BlockOrder.of(self._request, self._plan, block.overlay, block.seed)
        ears = Ears(lambda event: self.heard(block, event))
        with step(self._emit, f"{block.name} in its box") as words:
            ended = await boot(self._kernel, order, folder, cpu, ears.hear)
            times = ended.virtual / max(ended.wall, 1e-9)
            words.append(f"{ended.virtual:.0f} virtual seconds, {times:.1f} times as fast as a clock")
        self._keep(block, times_of(ended), ears.last)

    def _learn(self, block: Block, run: StoredRun) -> None:
        learn(self._folder.manifest, run)


def learn(manifest: Manifest, run: StoredRun) -> None:
    """Take into a run's manifest what the first of its boxes saw of its links and of itself."""
    manifest.calibration = manifest.calibration or run.manifest.calibration
    manifest.environment.setdefault("inside", run.manifest.environment)


def new_folder(folder: Path) -> Path:
    """Make a block's folder; one of an attempt that did not end is removed before."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / in_box.RUNS).mkdir(parents=True)
    return folder


def times_of(ended: Ended) -> dict[str, float]:
    """Return how long (s) a box ran by both clocks, as it is stored."""
    return {"wall": round(ended.wall, 2), "virtual": round(ended.virtual, 3)}


async def boot(made: Kernel, order: BlockOrder, folder: Path, cpu: int, hear: Callable[[str], None]) -> Ended:
    """Carry out one block in a box, in this folder; `hear` is called with every line that it prints.

    Raises:
        BoxError: the kernel did not boot, was killed, or showed no life.
    """
    (folder / in_box.PLAN).write_text(order.model_dump_json())
    box = BoxProcess(made, folder, cpu, order.seed + 1, hear)
    return await box.run(boxes.order(["-m", in_box.__name__, first.INSIDE], order.costs))


@dataclass
class Ears:
    """Reads the output of a box: it passes events on, and keeps the last line of everything else."""

    heard: Emit
    last: str = ""

    def hear(self, line: str) -> None:
        """Take note of a line."""
        event = from_json(line)
        if event is not None:
            self.heard(event)
        if isinstance(event, Note):
            self.last = event.text
        elif event is None and line.strip():
            self.last = line.strip()


def too_long(request: RunRequest, plan: RunPlan, side_by_side: int) -> str:
    """Return a sentence for a run that takes more than a day of wall time; "" for others."""
    seconds = wall(plan, plan.cells(request.only), plan.profile.rate or TESTBED_RATE)
    return pace.warning(seconds, side_by_side)


def wall(plan: RunPlan, cells: Mapping[str, Sequence[Cell]], rate: float) -> float:
    """Estimate the wall time (s) of cells by overlay on one processor, at `rate` (Mbit/s)."""
    each = (pace.wall(own, rate, plan.overlays[name].user_space) for name, own in cells.items())
    return plan.profile.bring_ups * sum(each)
