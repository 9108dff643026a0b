"""One block of a run in virtual time, inside its box: the ordinary run, on hosts without a Docker daemon.

    python -m lab.app.in_box FOLDER

`lab.app.virtual` writes the block's plan to ``plan.json`` in FOLDER. Its run folder is made there. Events
go to the console, a line each.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from lab.app.block_order import BlockOrder
from lab.app.request import RunPlan, RunRequest
from lab.app.run import emulate
from lab.errors import LabError
from lab.events import Event, Note, to_json
from lab.virtual import beats

PLAN, RUNS = "plan.json", "runs"


def write(folder: Path, request: RunRequest, plan: RunPlan, overlay: str, seed: int) -> None:
    """Write the plan of one block: one overlay, measured once."""
    (folder / PLAN).write_text(BlockOrder.of(request, plan, overlay, seed).model_dump_json())


def read(folder: Path) -> tuple[RunRequest, RunPlan]:
    """Read the plan that `write` wrote.

    Raises:
        RunError: it is none.
    """
    return BlockOrder.read((folder / PLAN).read_bytes()).plan(folder / RUNS)


def say(event: Event) -> None:
    """Print an event for the process outside."""
    beats.say(to_json(event))


def main(folder: Path) -> int:
    """Carry the block out; returns the run's exit status, 2 for an error, which is a note as well."""
    beat = beats.begin()
    try:
        request, plan = read(folder)
        status, _ = asyncio.run(emulate(request, plan, say))
    except LabError as error:
        say(Note(str(error)))
        return 2
    finally:
        beat()
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
