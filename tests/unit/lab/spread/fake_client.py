"""A client of a spread run in a process of its own, which a test can kill.

python -m tests.unit.lab.spread.fake_client ADDRESS RESULTS BRING_UPS [RUN]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from lab.app.request import RunRequest, plan_run
from lab.errors import LabError
from lab.events import Event
from lab.runs.event_log import line
from lab.spread import run
from lab.spread.clusters import Where
from lab.virtual import beats


def request(results: Path, bring_ups: int, resume: Path | None = None) -> RunRequest:
    """Return the request for a run of six cells a block."""
    more = {"repetitions": 1, "daemons": "none", "seed": 100, "resume": resume, "results": results}
    return RunRequest(
        "multihop", overlays=("underlay", "tinc"), only=("latency",), bring_ups=bring_ups, **more
    )  # type: ignore[arg-type]


def say(event: Event) -> None:
    beats.say(line(event))


def main(address: str, results: str, bring_ups: str, resume: str = "") -> int:
    asked = request(Path(results), int(bring_ups), Path(resume) if resume else None)
    try:
        status, _ = asyncio.run(run.emulate(asked, plan_run(asked), Where(address), say))
    except LabError as error:
        beats.say(f"lab: {error}")
        return 7
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
