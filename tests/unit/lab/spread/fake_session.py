"""A process in place of `lab.spread.session`, which measures nothing and only writes samples.

Trouble is asked for by the file in ``LAB_TEST_TROUBLE``: a line ``SEED KIND`` per block, each of which
happens once. ``error`` is an error of the lab, ``die`` the end of this process, and ``hang`` waits until the
input ends.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from lab.app import in_box
from lab.events import Note, SampleDone
from lab.feed.objects import Plain
from lab.feed.recording import RecordingFile
from lab.feed.watch import stamped
from lab.runs.run_folder import RunFolder
from lab.runs.runner import described
from lab.runs.sample import Sample, Verdict
from lab.spread.session import BlockEnd, Call, end, say
from tests.unit.fakes import manifest

#: How long a sample takes (s).
SECONDS = 0.02


HOST = {
    "host": "AMS",
    "up": True,
    "daemons": [],
    **dict.fromkeys(("cpu_percent", "cpu_quota_percent", "memory_bytes", "memory_limit_bytes")),
}


def made_up_lab(name: str) -> Plain:
    """Return a lab of one host."""
    topology = {"name": "point", "hosts": [{"name": "AMS"}], "links": []}
    return stamped("lab", lab=name, state="up", topology=topology, shaper="wire", clock="real")


def trouble(seed: int) -> str:
    """Return the trouble of a block, and take it out of the file."""
    file = Path(os.environ.get("LAB_TEST_TROUBLE", "/nowhere"))
    rows = file.read_text().splitlines() if file.exists() else []
    mine = next((row for row in rows if row.startswith(f"{seed} ")), "")
    if mine:
        rows.remove(mine)
        file.write_text("\n".join(rows))
    return mine.partition(" ")[2]


def measure(call: Call) -> None:
    order = call.order
    request, plan = order.plan(call.folder / in_box.RUNS)
    what = trouble(order.seed)
    inner = manifest(run="inner", overlays={}, complete=True, shaper="netem")
    state = os.environ.get("LAB_TEST_VERDICT", "valid")
    with RunFolder.create(request.results, inner) as folder:
        seen = RecordingFile(folder.path)
        seen.write([made_up_lab("its-own-name"), stamped("host", lab="its-own-name", **HOST)])
        seen.flush()
        say(Note(f"this is process {os.getpid()}"))
        folder.manifest.overlays = {
            name: described(overlay).model_copy(update={"state": "ok"})
            for name, overlay in plan.overlays.items()
        }
        for cell in plan.cells(request.only)[order.overlay]:
            time.sleep(float(os.environ.get("LAB_TEST_SECONDS", SECONDS)))
            done = Sample(
                run="inner",
                cell=cell.key,
                overlay=cell.overlay,
                metric=cell.metric,
                params=dict(cell.params),
                repetition=1,
                started="2027-01-15T08:00:00+00:00",
                seconds=1.0,
                outcome="ok",
                values={"mean_ms": float(order.seed)},
                verdict=Verdict(state=state),  # type: ignore[arg-type]
            )
            folder.append(done, f"raw {cell.key}")
            say(SampleDone(cell.key, 1, "ok", "valid"))
            if what == "die":
                os._exit(9)
            if what == "hang":
                sys.stdin.read()
                os._exit(0)
        folder.save()
    end(BlockEnd("no space left on device") if what == "error" else BlockEnd("", {"wall": 0.1}, "done"))


def main() -> None:
    for line in sys.stdin:
        measure(Call.read(line))


if __name__ == "__main__":
    main()
