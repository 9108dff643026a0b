"""Cost, scaling and trouble of runs over machines, each measured in one run.

    sudo .venv/bin/python benchmarks/spread.py overhead [--rounds 2] [--blocks 6] [--daemons none]
    sudo .venv/bin/python benchmarks/spread.py scaling [--workers 1 2 4] [--blocks 8]
    sudo .venv/bin/python benchmarks/spread.py bytes
    .venv/bin/python benchmarks/spread.py memory [--samples 100000]
    .venv/bin/python benchmarks/spread_simulation.py …       (1 to 64 workers that only wait; faults)

Overhead is the time from the last sample of a block to the first one of the next block, with one worker and
in one process, alternately: at most 2 s and 3 % of a block are wanted. Scaling is the time of the same blocks
on 1, 2 and 4 workers of this machine, which share its processors, so the blocks are latencies, which hardly
need any. Bytes are those of messages with samples, as they leave the worker. Memory is that of client and
scheduler after 100,000 samples of recorded size: at most 500 MiB are wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.spread_simulation import stored_runs
from lab.app import in_box, run
from lab.app.request import RunPlan, RunRequest, plan_run
from lab.events import Event, Note, SampleDone
from lab.runs.run_folder import RunFolder, slug
from lab.runs.sample import Verdict
from lab.spread import run as spread
from lab.spread.clusters import Where
from lab.spread.session import BlockEnd, Call, end, say

#: What is wanted (s, share of a block; MiB).
MOST_SECONDS, MOST_SHARE, MOST_MEMORY = 2.0, 0.03, 500
#: Samples of a block in the measurement of memory.
PER_BLOCK = 250


spread.TOO_MANY = 1.0  # other work on a machine limits samples, and is no subject here


def request(results: Path, blocks: int, daemons: str = "none", duration: float = 2.0) -> RunRequest:
    """Return the request for so many blocks on two hosts."""
    return RunRequest(
        "multihop",
        topology="point_to_point",
        overlays=("underlay",),
        only=("latency",),
        rate=20.0,
        repetitions=3,
        duration=duration,
        bring_ups=blocks,
        daemons=daemons,
        seed=1,
        results=results,
    )


class Ticks:
    """The times of samples, as events tell of them."""

    def __init__(self, per_block: int) -> None:
        self.times: list[float] = []
        self._per_block = per_block

    def __call__(self, event: Event) -> None:
        if isinstance(event, SampleDone):
            self.times.append(monotonic())

    def between(self) -> list[float]:
        """Return the times (s) between a block's last sample and the first one of the next."""
        n = self._per_block
        return [self.times[i] - self.times[i - 1] for i in range(n, len(self.times), n)]

    def block(self) -> float:
        """Return the time of one block (s)."""
        return (self.times[-1] - self.times[0]) / max(len(self.times) / self._per_block - 1, 1)


def ticks(asked: RunRequest, plan: RunPlan, on: str) -> Ticks:
    """Carry a run out, and return when its samples were done."""
    seen = Ticks(3)
    work = spread.emulate(asked, plan, Where(on), seen) if on else run.emulate(asked, plan, seen)
    asyncio.run(work)
    return seen


def overhead(asked: argparse.Namespace) -> int:
    """Compare one worker with one process."""
    found: dict[str, list[float]] = {"": [], "local:1": []}
    blocks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(asked.rounds):
            for on in found:
                request_ = request(Path(folder), asked.blocks, asked.daemons)
                seen = ticks(request_, plan_run(request_), on)
                found[on] += seen.between()
                blocks += [] if on else [seen.block()]
    one, other = median(found[""]), median(found["local:1"])
    more, share = other - one, (other - one) / median(blocks)
    print(
        f"between blocks: {one:.2f} s in one process, {other:.2f} s with a worker (medians of "
        f"{len(found[''])}, in turn): {more:+.2f} s per block, "
        f"{100 * share:+.1f} % of blocks of {median(blocks):.1f} s; by these, {100 * MOST_SHARE:.0f} % from "
        f"{max(more, 0) / MOST_SHARE:.0f} s on"
    )
    return int(more > MOST_SECONDS)


def scaling(asked: argparse.Namespace) -> int:
    """Measure the same blocks on more and more workers."""
    first = 0.0
    for workers in asked.workers:
        with tempfile.TemporaryDirectory() as folder:
            request_ = request(Path(folder), asked.blocks, duration=10.0)
            begun: list[float] = []

            def hear(event: Event, begun: list[float] = begun) -> None:
                if isinstance(event, Note) and " goes to machine " in event.text:
                    begun.append(monotonic())

            asyncio.run(spread.emulate(request_, plan_run(request_), Where(f"local:{workers}"), hear))
            took = monotonic() - begun[0]
        first = first or took
        print(
            f"{workers} workers: {asked.blocks} blocks in {took:.1f} s, "
            f"efficiency {first / took / workers:.2f}",
            flush=True,
        )
    return 0


def size(asked: argparse.Namespace) -> int:
    """Count the bytes of samples on their way."""
    counted = {"streamed": 0, "folders": 0, "samples": 0}
    unpack: dict[str, Callable[..., Any]] = {"sample": spread.unpack_sample, "folder": spread.unpack_folder}

    def sample(data: bytes) -> Any:
        counted["streamed"] += len(data)
        counted["samples"] += 1
        return unpack["sample"](data)

    def folder_(data: bytes, folder: Path) -> None:
        counted["folders"] += len(data)
        unpack["folder"](data, folder)

    spread.unpack_sample, spread.unpack_folder = sample, folder_
    with tempfile.TemporaryDirectory() as folder:
        request_ = request(Path(folder), asked.blocks)
        _, path = asyncio.run(spread.emulate(request_, plan_run(request_), Where("local:1"), lambda _: None))
        on_disk = (
            sum(one.stat().st_size for one in path.rglob("raw/*")) + (path / "samples.jsonl").stat().st_size
        )
    n = counted["samples"]
    print(
        f"{n} samples: {counted['streamed'] / n:.0f} bytes each as they come, "
        f"{counted['folders'] / n:.0f} with the folder of their block; {on_disk / n:.0f} on disk"
    )
    return 0


def pretend() -> None:
    """Take the place of `lab.spread.session`: write blocks of recorded samples as fast as the disk does."""
    recorded = [one for stored in stored_runs() for one in stored.samples][:PER_BLOCK]
    for line in sys.stdin:
        call = Call.read(line)
        request_, plan = call.order.plan(call.folder / in_box.RUNS)
        inner = run.begun(plan.experiment, plan.topology, plan.profile, overlays={}, complete=True)
        with RunFolder.create(request_.results, inner) as folder:
            folder.manifest.overlays = {
                call.order.overlay: spread.described(plan.overlays[call.order.overlay])
            }
            rows = []
            for number in range(PER_BLOCK):
                one = recorded[number % len(recorded)]
                name = f"raw/{slug(one.cell)}.{number}.txt"
                (folder.path / name).write_text("x" * 2000)
                own = {"raw": name, "run": inner.run, "repetition": number + 1, "verdict": Verdict()}
                rows.append(one.model_copy(update=own))
            folder.write_down(rows)
            folder.save()
        say(SampleDone("cell", 1, "ok", "valid"))
        end(BlockEnd("", {"wall": 1.0}, "done"))


def peak(pid: int) -> float:
    """Return the largest memory that a process has had (MiB)."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found, "the kernel says so"
    return int(found[1]) / 1024


def memory(asked: argparse.Namespace) -> int:
    """Measure the memory of client and scheduler after so many samples."""
    from tests.unit.lab.spread.fleet import Fleet

    os.environ["LAB_TEST_SESSION"] = str(Path(__file__).resolve())
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            fleet.scheduler()
            for name in ("a", "b"):
                fleet.worker(name)
            fleet.joined("a", "b")
            client = fleet.client(asked.samples // PER_BLOCK // 2)
            scheduler = fleet.pid("scheduler")
            most = {"client": 0.0, "scheduler": 0.0}
            while fleet.alive("client"):
                for name, pid in (("client", client), ("scheduler", scheduler)):
                    most[name] = max(most[name], peak(pid) if fleet.alive(name) else 0.0)
                subprocess.run(["sleep", "0.5"], check=True)
            lines = sum(1 for _ in (fleet.run() / "samples.jsonl").open())
        finally:
            fleet.close()
    print(f"{lines} samples: {most['client']:.0f} MiB client, {most['scheduler']:.0f} MiB scheduler at most")
    return int(max(most.values()) > MOST_MEMORY)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "what", nargs="?", default="bytes", choices=["overhead", "scaling", "bytes", "memory", "pretend"]
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--daemons", default="none")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--samples", type=int, default=100_000)
    asked = parser.parse_args()
    if asked.what == "pretend":
        pretend()
        return 0
    return {"overhead": overhead, "scaling": scaling, "bytes": size, "memory": memory}[asked.what](asked)


if __name__ == "__main__":
    sys.exit(main())
