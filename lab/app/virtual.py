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
from dataclasses import asdict, dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from time import monotonic

from lab.app import boxes, in_box
from lab.app.request import TESTBED_RATE, RunPlan, RunRequest
from lab.app.run import begun, open_folder
from lab.emulation.registry import NONE
from lab.errors import RunError
from lab.events import Emit, Event, Note, SampleDone, SampleStarted, from_json, step
from lab.feed.recorder import recorded
from lab.report import captions
from lab.runs import run_folder
from lab.runs.event_log import logging
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.plan import Block, blocks
from lab.runs.run_folder import RunFolder, StoredRun, slug
from lab.runs.runner import Outcome, described, not_obtainable
from lab.util.concurrency import together
from lab.util.files import replace
from lab.virtual import first, pace
from lab.virtual.box import BoxProcess, Ended
from lab.virtual.kernel import Kernel

#: The folder of a run's blocks; and the file that says that a block is whole, with its times.
BLOCKS, WHOLE = "blocks", "block.json"


def folder_of(block: Block, run: Path) -> Path:
    """Return a block's folder in that of the run."""
    return run / BLOCKS / f"{slug(block.overlay)}.{block.number}"


async def emulate(request: RunRequest, plan: RunPlan, emit: Emit) -> tuple[int, Path]:
    """Measure in virtual time; returns the exit status and the run's folder.

    Raises:
        BoxError: this machine cannot have boxes.
        MachineError: the kernel or the images cannot be made here; says what to do.
    """
    made = await asyncio.to_thread(boxes.prepare, list(plan.overlays.values()), emit)
    manifest = _manifest(request, plan, made)
    with open_folder(request, manifest, emit) as folder:
        emit(Note(f"results go to {folder.path}"))
        emit(Note(f"{plan.experiment.name} on {plan.topology.name}: {captions.rate(folder.run)}"))
        if warning := _too_long(request, plan):
            emit(Note(warning))
        heard = logging(folder.path / "log", emit)
        cells = [cell for row in plan.measurable_cells(request.only).values() for cell in row]
        with recorded(folder, cells, "", heard, measure=False) as told:
            await VirtualRun(request, plan, made, folder, told).carry_out()
        return Outcome(folder.manifest.overlays, ()).status, folder.path


def _manifest(request: RunRequest, plan: RunPlan, made: Kernel) -> Manifest:
    """Return the manifest of a run that begins now; its id follows from all that decides its samples."""
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
        made.identity,
    ]
    return begun(
        plan.experiment,
        plan.topology,
        plan.profile,
        run=hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:6],
        only=list(request.only),
        rate=plan.profile.rate,
        shaper="netem",
        seed=seed,
        clock="virtual",
        costs=dict(request.costs),
        overlays={name: described(overlay) for name, overlay in plan.overlays.items()},
        environment={
            "kernel": f"{made.version}, user-mode, of {made.source}",
            "box": made.identity,
            "daemons": NONE,
        },
    )


class VirtualRun:
    """The blocks of one run, carried out side by side and collected in the order of their names."""

    def __init__(
        self, request: RunRequest, plan: RunPlan, made: Kernel, folder: RunFolder, emit: Emit
    ) -> None:
        self._request, self._plan, self._kernel, self._folder, self._emit = request, plan, made, folder, emit
        self._blocks = blocks(list(plan.overlays), folder.manifest.bring_ups, folder.manifest.seed or 0)
        self._collected: set[Block] = set()
        self._total = folder.manifest.bring_ups * sum(
            cell.repetitions for cells in plan.measurable_cells(request.only).values() for cell in cells
        )
        self._done = len(folder.samples)
        self._since: dict[Block, float] = {}
        #: Seconds of wall time that each sample of a block took.
        self._wall: dict[Block, dict[str, float]] = {}

    async def carry_out(self) -> None:
        """Run every block that is not whole yet, and add the samples of each.

        Raises:
            LabError: a box did not do its work, or a sample cannot be written.
        """
        free: asyncio.Queue[int] = asyncio.Queue()
        for cpu in sorted(os.sched_getaffinity(0))[: self._request.boxes or None]:
            free.put_nowait(cpu)
        try:
            await together((self._one(block, free) for block in self._blocks), on_failure="cancel")
        finally:
            self._folder.save()
        self._folder.manifest.complete = all(self._complete(block) for block in self._blocks)
        self._folder.save()

    async def _one(self, block: Block, free: asyncio.Queue[int]) -> None:
        if not self._whole(block):
            cpu = await free.get()
            try:
                await self._boot(block, cpu)
            finally:
                free.put_nowait(cpu)
        self._collect()

    async def _boot(self, block: Block, cpu: int) -> None:
        overlay = self._plan.overlays[block.overlay]
        if missing := overlay.obtainable():
            self._folder.manifest.overlays[block.overlay] = not_obtainable(
                overlay, missing.what, missing.remedy
            )
            return
        folder = folder_of(block, self._folder.path)
        shutil.rmtree(folder, ignore_errors=True)  # of a box that did not come to its end
        (folder / in_box.RUNS).mkdir(parents=True)
        in_box.write(folder, self._request, self._plan, block.overlay, block.seed)
        ears = _Ears(block, self)
        with step(self._emit, f"{block.name} in its box") as words:
            box = BoxProcess(self._kernel, folder, cpu, block.seed + 1, ears.hear)
            argv = ["-m", in_box.__name__, first.INSIDE]
            ended = await box.run(boxes.order(argv, self._request.costs))
            times = ended.virtual / max(ended.wall, 1e-9)
            words.append(f"{ended.virtual:.0f} virtual seconds, {times:.1f} times as fast as a clock")
        self._keep(block, ended, ears.last)

    def _keep(self, block: Block, ended: Ended, last: str) -> None:
        """Note that a block is whole, or that its overlay failed."""
        state = self._state(block, last)
        times = {"wall": round(ended.wall, 2), "virtual": round(ended.virtual, 3)}
        whole = {**asdict(block), **times, "state": state.state, "samples": self._wall.get(block, {})}
        replace(folder_of(block, self._folder.path) / WHOLE, json.dumps(whole), sync=True)
        manifest = self._folder.manifest
        manifest.timing[block.name] = times
        before = manifest.overlays[block.overlay]
        if before.state in ("pending", "ok"):
            manifest.overlays[block.overlay] = state
        self._folder.save()

    def _state(self, block: Block, last: str) -> OverlayState:
        """Return the state of the block's overlay: from the run in the box, or else from its last message."""
        if (run := self._inner(block)) is None:
            fresh = described(self._plan.overlays[block.overlay])
            return fresh.model_copy(update={"state": "failed", "reason": last or "the box said nothing"})
        manifest = self._folder.manifest
        manifest.calibration = manifest.calibration or run.manifest.calibration
        manifest.environment.setdefault("inside", run.manifest.environment)
        return next(iter(run.manifest.overlays.values()))

    def _inner(self, block: Block) -> StoredRun | None:
        """Return the run that a block's box made; None when it made no readable one."""
        made = sorted((folder_of(block, self._folder.path) / in_box.RUNS).glob("*/" + run_folder.MANIFEST))
        try:
            return run_folder.read(made[-1].parent) if made else None
        except RunError:
            return None

    def _absent(self, block: Block) -> bool:
        """Tell if the block's overlay is not available here."""
        return self._folder.manifest.overlays[block.overlay].state == "not obtainable"

    def _complete(self, block: Block) -> bool:
        """Tell if a block has all its samples, or can have none."""
        run = self._inner(block)
        return self._absent(block) or (run is not None and run.manifest.complete)

    def _whole(self, block: Block) -> bool:
        return (folder_of(block, self._folder.path) / WHOLE).exists()

    def _collect(self) -> None:
        """Add samples block by block, always in the same order."""
        for block in self._blocks:
            if not self._whole(block) and not self._absent(block):
                return
            if block not in self._collected:
                self._collected.add(block)
                self._adopt(block)

    def _adopt(self, block: Block) -> None:
        """Add the samples of a block that the folder does not have from before an interruption."""
        if (run := self._inner(block)) is None:
            return
        at = run.path.relative_to(self._folder.path)
        more = {"run": self._folder.manifest.run, "bring_up": block.number}
        there = {sample.raw for sample in self._folder.samples}
        for sample in run.samples:
            if (raw := f"{at}/{sample.raw}") not in there:
                self._folder.adopt(sample.model_copy(update={**more, "raw": raw}))

    def heard(self, block: Block, event: Event) -> None:
        """Pass an event of a box on, with the numbers of the whole run."""
        match event:
            case SampleStarted(cell, repetition, repetitions):
                self._since[block] = monotonic()
                so_far, box = (self._done, self._total, 0.0), f"box {block.name}"
                self._emit(SampleStarted(cell, repetition, repetitions, *so_far, block.number, box))
            case SampleDone(cell, repetition):
                self._done += 1
                took = round(monotonic() - self._since.get(block, monotonic()), 2)
                self._wall.setdefault(block, {})[f"{cell} #{repetition}"] = took
                self._emit(replace_fields(event, bring_up=block.number))
            case Note(text):
                self._emit(Note(f"{block.name}: {text}"))


@dataclass
class _Ears:
    """Reads the output of a box: it passes events on, and keeps the last line of everything else."""

    block: Block
    run: VirtualRun
    last: str = ""

    def hear(self, line: str) -> None:
        event = from_json(line)
        if event is not None:
            self.run.heard(self.block, event)
        if isinstance(event, Note):
            self.last = event.text
        elif event is None and line.strip():
            self.last = line.strip()


def _too_long(request: RunRequest, plan: RunPlan) -> str:
    """Return a sentence for a run that takes more than a day of wall time; "" for others."""
    rate = plan.profile.rate or TESTBED_RATE
    cells = plan.cells(request.only)
    each = [pace.wall(cells[name], rate, overlay.user_space) for name, overlay in plan.overlays.items()]
    return pace.warning(plan.profile.bring_ups * sum(each), request.boxes or len(os.sched_getaffinity(0)))
