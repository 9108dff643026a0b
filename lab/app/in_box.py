"""One block of a run in virtual time, inside its box: the ordinary run, on hosts without a Docker daemon.

    python -m lab.app.in_box FOLDER

`lab.app.virtual` writes the block's plan to ``plan.json`` in FOLDER. Its run folder is made there. Events
go to the console, a line each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.app.request import RunPlan, RunRequest, load_experiment
from lab.app.run import emulate
from lab.errors import LabError
from lab.events import Event, Note, to_json
from lab.runs.experiment import Profile
from lab.topology import Topology
from lab.virtual import beats
from overlays import registry

PLAN, RUNS = "plan.json", "runs"


def write(folder: Path, request: RunRequest, plan: RunPlan, overlay: str, seed: int) -> None:
    """Write the plan of one block: one overlay, measured once."""
    stored = {
        "experiment": plan.experiment.name,
        "topology": plan.topology.to_dict(),
        "profile": {**asdict(plan.profile), "bring_ups": 1},
        "overlay": overlay,
        "only": list(request.only),
        "on_fallback": request.on_fallback,
        "accept_links": request.accept_links,
        "costs": dict(request.costs),
        "seed": seed,
    }
    (folder / PLAN).write_text(json.dumps(stored))


def read(folder: Path) -> tuple[RunRequest, RunPlan]:
    """Read the plan that `write` wrote."""
    stored: Mapping[str, Any] = json.loads((folder / PLAN).read_text())
    overlay = str(stored["overlay"])
    plan = RunPlan(
        load_experiment(stored["experiment"]),
        Topology.from_dict(stored["topology"]),
        Profile(**stored["profile"]),
        {overlay: registry.parse(overlay)},
        daemons="none",
    )
    same = ("on_fallback", "accept_links", "seed")
    request = RunRequest(
        stored["experiment"],
        overlays=(overlay,),
        only=tuple(stored["only"]),
        costs=stored["costs"],
        clock="virtual",
        daemons="none",
        shaper="netem",
        results=folder / RUNS,
        **{name: stored[name] for name in same},
    )
    return request, plan


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
