"""A run that a test kills: ``python -m tests.unit.runs_child FOLDER SECONDS`` goes on with a run folder.

Each sample takes SECONDS, and is told on standard output when it begins.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import RunFolder
from lab.runs.runner import run_experiment
from tests.unit.fakes import FakeExperiment, FakeOverlay, fake_lab


class Slow(FakeExperiment):
    """Takes its time, and says when a sample begins."""

    async def measure(self, cell: Cell, endpoints: Mapping[str, Any]) -> Reading:
        sys.stdout.write(f"{cell.key}\n")
        sys.stdout.flush()
        await asyncio.sleep(float(sys.argv[2]))
        return await super().measure(cell, endpoints)


async def main(path: Path) -> None:
    """Measure what is missing."""
    experiment = Slow()
    with RunFolder.resume(path) as folder:
        overlays = {"fake": FakeOverlay()}
        await run_experiment(experiment, fake_lab(), overlays, experiment.profiles["quick"], folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
