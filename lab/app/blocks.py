"""A run whose blocks are measured elsewhere (in boxes, on other machines), and one run folder for all.

A block leaves a folder of its own, in `BLOCKS`, with a run folder of that one block in it. Once it is whole,
its samples are added to the run's, always in the same order, so that the run is the same however its blocks
were carried out. A resumed run carries out only the blocks that are not there.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import replace as replace_fields
from pathlib import Path
from time import monotonic
from typing import Any

from lab.app import in_box
from lab.app.request import RunPlan, RunRequest
from lab.app.run import open_folder
from lab.errors import RunError
from lab.events import Emit, Event, Note, SampleDone, SampleStarted
from lab.feed.recorder import Told, recorded
from lab.report import captions
from lab.runs import run_folder
from lab.runs.event_log import logging
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.plan import Block, blocks
from lab.runs.run_folder import RunFolder, StoredRun, slug
from lab.runs.runner import described, not_obtainable
from lab.runs.sample import Sample
from lab.util.files import replace

#: The folder of a run's blocks; and the file that says that a block is whole, with its times.
BLOCKS, WHOLE = "blocks", "block.json"


def folder_of(block: Block, run: Path) -> Path:
    """Return a block's folder in that of the run."""
    return run / BLOCKS / f"{slug(block.overlay)}.{block.number}"


@contextmanager
def opened(
    request: RunRequest, plan: RunPlan, manifest: Manifest, emit: Emit
) -> Iterator[tuple[RunFolder, Told]]:
    """Open the folder of a run and record the run; yields the folder, and an `Emit` that records events."""
    with open_folder(request, manifest, emit) as folder:
        emit(Note(f"results go to {folder.path}"))
        emit(Note(f"{plan.experiment.name} on {plan.topology.name}: {captions.rate(folder.run)}"))
        heard = logging(folder.path / "log", emit)
        with recorded(folder, plan.all_cells(request.only), "", heard, measure=False) as told:
            yield folder, told


def inner_run(folder: Path) -> StoredRun | None:
    """Return the run that was made in a block's folder; None when there is no readable one."""
    made = sorted((folder / in_box.RUNS).glob("*/" + run_folder.MANIFEST))
    try:
        return run_folder.read(made[-1].parent) if made else None
    except RunError:
        return None


class BlockRun(ABC):
    """The blocks of one run; a subclass says how they are carried out."""

    def __init__(self, request: RunRequest, plan: RunPlan, folder: RunFolder, emit: Emit) -> None:
        self._request, self._plan, self._folder, self._emit = request, plan, folder, emit
        self._blocks = blocks(list(plan.overlays), folder.manifest.bring_ups, folder.manifest.seed or 0)
        self._collected: set[Block] = set()
        cells = plan.all_cells(request.only)
        self._total = folder.manifest.bring_ups * sum(cell.repetitions for cell in cells)
        self._done = len(folder.samples)
        #: The raw output of samples that the folder has from before an interruption.
        self._there = {sample.raw for sample in folder.samples}
        folder.samples.clear()  # a run has more of them than memory should hold
        self._since: dict[Block, float] = {}
        #: Seconds of wall time that each sample of a block took.
        self._wall: dict[Block, dict[str, float]] = {}

    async def carry_out(self) -> None:
        """Carry out every block that is not whole yet, and add the samples of each.

        Raises:
            LabError: a block cannot be carried out, or a sample cannot be written.
        """
        try:
            self._collect()
            await self._carry_out([block for block in self._blocks if not self._settled(block)])
        finally:
            self._folder.save()
        self._folder.manifest.complete = all(self._complete(block) for block in self._blocks)
        self._folder.save()

    @abstractmethod
    async def _carry_out(self, wanted: list[Block]) -> None:
        """Carry out these blocks, with `_keep` and `_collect` after each."""

    def _absent(self, block: Block) -> bool:
        """Tell if the block's overlay is not available, and note that it is not."""
        overlay, states = self._plan.overlays[block.overlay], self._folder.manifest.overlays
        if missing := overlay.obtainable():
            states[block.overlay] = not_obtainable(overlay, missing.what, missing.remedy)
        return states[block.overlay].state == "not obtainable"

    def _keep(self, block: Block, times: Mapping[str, Any], last: str) -> None:
        """Note that a block is whole, or that its overlay failed; `last` is its last message."""
        folder = folder_of(block, self._folder.path)
        run = inner_run(folder)
        state = self._state(block, run, last)
        whole = {
            **asdict(block),
            **times,
            "state": state.state,
            "complete": run is not None and run.manifest.complete,
            "samples": self._wall.pop(block, {}),
        }
        replace(folder / WHOLE, json.dumps(whole), sync=True)
        manifest = self._folder.manifest
        manifest.timing[block.name] = {name: times[name] for name in ("wall", "virtual") if name in times}
        before = manifest.overlays[block.overlay]
        if before.state in ("pending", "ok"):
            manifest.overlays[block.overlay] = state
        if run is not None:
            self._learn(block, run)
        self._folder.save()

    def _state(self, block: Block, run: StoredRun | None, last: str) -> OverlayState:
        """Return the state of the block's overlay: from the block's run, or else from its last message."""
        if run is None:
            fresh = described(self._plan.overlays[block.overlay])
            return fresh.model_copy(update={"state": "failed", "reason": last or "the block said nothing"})
        return next(iter(run.manifest.overlays.values()))

    def _learn(self, block: Block, run: StoredRun) -> None:
        """Take what the run's manifest should have from that of a block."""

    def _complete(self, block: Block) -> bool:
        """Tell if a block has all its samples, or can have none."""
        if self._folder.manifest.overlays[block.overlay].state == "not obtainable":
            return True
        folder = folder_of(block, self._folder.path)
        if not (folder / WHOLE).exists():
            return False
        whole: Mapping[str, Any] = json.loads((folder / WHOLE).read_text())
        if "complete" in whole:
            return bool(whole["complete"])
        run = inner_run(folder)  # of a version that did not note it
        return run is not None and run.manifest.complete

    def _whole(self, block: Block) -> bool:
        return (folder_of(block, self._folder.path) / WHOLE).exists()

    def _settled(self, block: Block) -> bool:
        """Tell if nothing more comes of a block."""
        return block in self._collected or self._whole(block) or self._absent(block)

    def _collect(self) -> None:
        """Add samples block by block, always in the same order."""
        for block in self._blocks:
            if block in self._collected:
                continue
            if not self._settled(block):
                return
            self._collected.add(block)
            self._adopt(block)

    def _adopt(self, block: Block) -> None:
        """Add the samples of a block that the folder does not have from before an interruption."""
        if (run := inner_run(folder_of(block, self._folder.path))) is None:
            return
        at = run.path.relative_to(self._folder.path)
        self._folder.write_down(
            [
                self._adopted(block, sample, f"{at}/{sample.raw}")
                for sample in run.samples
                if f"{at}/{sample.raw}" not in self._there
            ]
        )

    def _adopted(self, block: Block, sample: Sample, raw: str) -> Sample:
        """Return a sample of a block as one of the run."""
        more = {"run": self._folder.manifest.run, "bring_up": block.number, "raw": raw}
        return sample.model_copy(update=more)

    def heard(self, block: Block, event: Event) -> None:
        """Pass an event of a block on, with the numbers of the whole run."""
        match event:
            case SampleStarted(cell, repetition, repetitions):
                self._since[block] = monotonic()
                so_far, where = (self._done, self._total, 0.0), self._where(block)
                self._emit(SampleStarted(cell, repetition, repetitions, *so_far, block.number, where))
            case SampleDone(cell, repetition):
                self._done += 1
                took = round(monotonic() - self._since.get(block, monotonic()), 2)
                self._wall.setdefault(block, {})[f"{cell} #{repetition}"] = took
                self._emit(replace_fields(event, bring_up=block.number))
            case Note(text):
                self._emit(Note(f"{block.name}: {text}"))

    def _where(self, block: Block) -> str:
        """Say where a block is carried out."""
        return f"box {block.name}"
