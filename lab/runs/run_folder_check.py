"""Check of a run folder against its manifest: every cell has its samples, every raw file its sum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError, RunError
from lab.runs.experiment import Experiment, Profile
from lab.runs.progress import Progress
from lab.runs.run_folder import StoredRun
from lab.runs.runner import plan_cells
from lab.runs.sample import Sample
from lab.topology import Topology
from lab.util.documents import MIB, Bounds, content, decoded

RAW_SIZE = Bounds("raw output", size=64 * MIB)


def faults(run: StoredRun, experiment: Experiment) -> list[str]:
    """A sentence for everything that is not as it should be; empty for a whole run."""
    raw_faults = filter(None, (raw_fault(run.path, sample) for sample in run.samples))
    return [*run.faults, *raw_faults, *_cells(run, experiment), *_of_other_runs(run)]


def raw_text(folder: Path, sample: Sample) -> str:
    """Return the raw output of a sample; the file lies in its folder, and is not without end.

    Raises:
        RunError: it does not, or is no text.
    """
    name = str(folder / str(sample.raw))
    return decoded(content(folder / str(sample.raw), RunError, RAW_SIZE, beneath=folder), name, RunError)


def raw_fault(folder: Path, sample: Sample) -> str:
    """The fault of a sample's raw file; empty when it is there and as it was written."""
    where = f"{sample.cell} #{sample.repetition}"
    if sample.raw is None:
        return f"{where} names no raw file"
    try:
        data = content(folder / sample.raw, RunError, RAW_SIZE, beneath=folder)
    except RunError as error:
        return f"{where}: {error}"
    if hashlib.sha256(data).hexdigest() != sample.raw_sha256:
        return f"{where}: {sample.raw} is not what was written: its checksum differs"
    return ""


def _cells(run: StoredRun, experiment: Experiment) -> Iterator[str]:
    """Cells without all their samples, of the available overlays."""
    manifest = run.manifest
    names = [name for name, state in manifest.overlays.items() if state.state != "not obtainable"]
    try:
        topology = Topology.from_dict(manifest.topology)
        grid = plan_cells(experiment, topology, names, Profile(**manifest.profile), manifest.only)
    except LabError as error:
        yield f"its cells are not known to this version: {error}"
        return
    except KeyError as error:  # of another version, or of somebody's own hand
        yield f"its profile has nothing of the metric {error}, which {manifest.experiment} measures"
        return
    for name, cells in grid.items():
        progress = Progress(cells, run.samples, bring_ups=manifest.bring_ups)
        for number in range(1, manifest.bring_ups + 1):
            missing = [cell.key for cell in cells if not progress.finished(cell, number)]
            if missing:
                first = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
                which = f" of bring-up {number}" if manifest.bring_ups > 1 else ""
                yield f"{name}: {len(missing)} of {len(cells)} cells{which} lack samples: {first}"


def _of_other_runs(run: StoredRun) -> Iterator[str]:
    """Samples of another run, e.g. of a file that was put together by hand."""
    others = sorted({sample.run for sample in run.samples} - {run.manifest.run})
    if others:
        yield f"samples of other runs are among them: {', '.join(others)}"
