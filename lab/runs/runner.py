"""The run engine: block after block, the cells of each in random order, every sample on disk.

A block is one bring-up of one overlay. It is the unit of replication: samples of one bring-up are alike.

An overlay that is not obtainable, or that fails, does not stop the others. A cancelled or killed
run leaves a folder from which a resumed run continues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.errors import HostError, MeasureError, NotObtainable, OverlayError
from lab.events import Emit, Note, silent
from lab.runs.experiment import Cell, Experiment, Profile
from lab.runs.manifest import OverlayState
from lab.runs.overlay_run import RELAUNCHES, OverlayRun
from lab.runs.plan import blocks, chosen, order
from lab.runs.progress import Progress
from lab.runs.run_folder import RunFolder
from lab.runs.target import RunTarget
from lab.topology import Topology
from overlays.base import Overlay


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run: the state of each overlay, and the cells with missing samples."""

    overlays: Mapping[str, OverlayState]
    failed: Sequence[str]

    @property
    def status(self) -> int:
        """The exit status: 0 when something was measured and nothing failed."""
        states = [overlay.state for overlay in self.overlays.values()]
        return 0 if "ok" in states and "failed" not in states and not self.failed else 1


def plan_cells(
    experiment: Experiment,
    topology: Topology,
    overlays: Sequence[str],
    profile: Profile,
    only: Sequence[str] = (),
) -> dict[str, list[Cell]]:
    """Return the cells of each overlay, which a run measures and a dry run prints."""
    return {name: chosen(experiment.cells(topology, name, profile), only) for name in overlays}


async def run_experiment(
    experiment: Experiment,
    target: RunTarget,
    overlays: Mapping[str, Overlay],
    profile: Profile,
    folder: RunFolder,
    *,
    emit: Emit = silent,
    keep_installed: frozenset[str] = frozenset(),
) -> Outcome:
    """Measure the samples that the folder does not have yet, and return the outcome.

    Args:
        experiment: the experiment whose grid is measured.
        target: hosts and links, up and shaped.
        overlays: the overlays by the name under which their samples are stored.
        profile: how often and how long.
        folder: opened by `RunFolder.create` or `RunFolder.resume`; seed, filter and what to do when an
            overlay falls back are in its manifest.
        emit: receives an event for every step and sample.
        keep_installed: overlays that were on the lab before the run, and stay on it.

    Raises:
        RunError: a sample cannot be written.
        ShaperError: the links are no longer shaped; nothing measured on them counts.
    """
    cells = plan_cells(experiment, target.topology, list(overlays), profile, folder.manifest.only)
    every = [cell for row in cells.values() for cell in row]
    repeats = RELAUNCHES if folder.manifest.on_fallback == "relaunch" else 0
    bring_ups = folder.manifest.bring_ups
    progress = Progress(every, folder.samples, repeats, bring_ups)
    states = folder.manifest.overlays
    ended: dict[str, OverlayState] = {}
    try:
        for block in blocks(list(overlays), bring_ups, folder.manifest.seed or 0):
            name = block.overlay
            if name in ended and ended[name].state == "not obtainable":
                continue
            keep = name in keep_installed
            overlay_run = OverlayRun(block, overlays[name], experiment, target, folder, progress, emit, keep)
            state = await _state(overlay_run, cells[name])
            if name not in ended or ended[name].state != "failed":  # one failure of a block stays in sight
                ended[name] = states[name] = state
            folder.save()
        obtained = [name for name in overlays if states[name].state != "not obtainable"]
        missing = [c.key for name in obtained for c in cells[name] if not progress.finished(c)]
        folder.manifest.complete = not missing
    finally:
        folder.save()
    return Outcome({name: states[name] for name in overlays}, missing)


async def _state(overlay_run: OverlayRun, cells: Sequence[Cell]) -> OverlayState:
    """Measure one block and return the overlay's state; a failure of the overlay does not end the run."""
    name, fresh = overlay_run.label, described(overlay_run.overlay)
    manifest = overlay_run.folder.manifest
    tasks = order(cells, overlay_run.block)
    if all(overlay_run.progress.done(task) for task in tasks):
        overlay_run.emit(
            Note(f"{name}: {'every sample is there already' if tasks else 'no cell was chosen'}")
        )
        before = manifest.overlays.get(overlay_run.name, fresh)
        return before.model_copy(update={"state": "ok", "reason": ""})
    try:
        mode = await overlay_run.work_through(tasks)
    except NotObtainable as error:
        overlay_run.emit(Note(str(error)))
        return not_obtainable(overlay_run.overlay, error.reason, error.remedy)
    except (OverlayError, HostError, MeasureError) as error:
        overlay_run.emit(Note(f"{name} is given up: {error}"))
        return fresh.model_copy(update={"state": "failed", "reason": str(error)})
    return fresh.model_copy(update={"state": "ok", "mode": dict(mode)})


def not_obtainable(overlay: Overlay, reason: str, remedy: str) -> OverlayState:
    """Return the state of an overlay that this machine cannot have."""
    return described(overlay).model_copy(
        update={"state": "not obtainable", "reason": reason, "remedy": remedy}
    )


def described(overlay: Overlay) -> OverlayState:
    """Return the state of an overlay of which nothing has been measured yet."""
    return OverlayState(settings=dict(overlay.settings), hops=overlay.hops)
