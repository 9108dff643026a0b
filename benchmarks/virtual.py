"""Pace of virtual time, and its agreement with real time, each measured in one run.

    sudo .venv/bin/python benchmarks/virtual.py pace [--overlay underlay …] [--rates 100,1000] …
    sudo .venv/bin/python benchmarks/virtual.py agreement [--overlay underlay …] [--rate 20]

Pace is virtual seconds per second of wall time, for each sample, and for the whole box with its bring-up.
Agreement compares the same cells of `multihop` by both clocks, on hosts without a Docker daemon, at a rate
that the machine carries. Agreement is asked within 0.2 ms of round trip and 1 % of throughput. In real time
links let packets go late, and samples say by how much: that is taken off round trips first. A processor that
sleeps takes time to wake up, which is none in virtual time: so a program of the lowest priority keeps every
processor awake meanwhile. What is left is the work of programs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.runs import run_folder
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

ROOT = Path(__file__).resolve().parents[1]
#: How far apart both clocks may be: ms of round trip, share of throughput.
NEAR_MS, NEAR_SHARE = 0.2, 0.01
VALUES = {"latency": "mean_ms", "tcp": "received_mbps", "udp": "received_mbps"}


def measured(words: Sequence[str], results: Path) -> StoredRun:
    """Return the run that `lab emulate multihop` makes with these words."""
    argv = [sys.executable, "-m", "lab", "emulate", "multihop", "--results", str(results), *words]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    made = sorted(results.glob("multihop-*"), key=lambda path: path.stat().st_mtime)
    if not made:
        sys.exit(f"lab emulate ended with status {done.returncode} and left no run")
    return run_folder.read(made[-1])


def row(*words: object) -> None:
    """Print a line of a table."""
    print("  ".join(f"{word:>9.3f}" if isinstance(word, float) else f"{word!s:<24}" for word in words))


def pace(asked: argparse.Namespace, results: Path) -> None:
    """Print virtual seconds, wall seconds and their ratio, for every sample and every box."""
    only = [word for hops in asked.hops.split(",") for word in ("--cells", f"from=AMS/hops={hops}/")]
    row("overlay", "Mbit/s", "cell", "virtual s, wall s, pace")
    for overlay in asked.overlay:
        for rate in asked.rates.split(","):
            words = ["--clock", "virtual", "--overlay", overlay, "--rate", rate, "--repetitions", "1"]
            run = measured([*words, "--duration", str(asked.duration), *only], results)
            whole = json.loads(next(run.path.glob("blocks/*/block.json")).read_text())
            for sample in run.samples:
                wall = float(whole["samples"][f"{sample.cell} #{sample.repetition}"])
                cell = sample.cell.removeprefix(f"{overlay}/").split("/to=")[0]
                row(overlay, rate, cell, sample.seconds, wall, sample.seconds / max(wall, 0.01))
            row(
                overlay,
                rate,
                "the whole box",
                whole["virtual"],
                whole["wall"],
                whole["virtual"] / whole["wall"],
            )


@contextmanager
def awake() -> Iterator[None]:
    """Keep every processor awake by a program that runs only when nothing else does (`SCHED_IDLE`)."""
    idle = partial(os.sched_setscheduler, 0, os.SCHED_IDLE, os.sched_param(0))
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=idle)
        for _ in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def late(sample: Sample) -> float:
    """Return how late the links of a sample let its packets go in a round trip, on average (ms)."""
    most = max((one["packets"] for one in sample.links.values()), default=0)
    on_path = (one for one in sample.links.values() if one["packets"] > most / 2)
    return sum(one.get("late_mean_ms", 0.0) for one in on_path)


def agreement(asked: argparse.Namespace, results: Path) -> None:
    """Print the means of the same cells by both clocks, their difference, and whether they agree."""
    far = 0
    row("overlay", "cell", "real, links late (ms), virtual, difference")
    for overlay in asked.overlay:
        cells = ["--cells", "from=AMS/hops=1/", "--cells", "from=AMS/hops=2/"]
        same = ["--overlay", overlay, "--rate", asked.rate, *cells]
        with awake():
            real = measured(["--daemons", "none", *same], results)
        virtual = measured(["--clock", "virtual", "--repetitions", "1", *same], results)
        for cell in dict.fromkeys(sample.cell for sample in virtual.samples):
            short = cell.removeprefix(f"{overlay}/").split("/to=")[0]
            if (value := VALUES.get(short.split("/")[0])) is None:
                continue
            runs = (real, virtual)
            a, b = ([s.values[value] for s in run.samples if s.cell == cell and s.valid] for run in runs)
            if not a or not b:
                row(overlay, short, "no valid sample by one of the clocks")
                continue
            of_links = mean(late(s) for s in real.samples if s.cell == cell and s.valid)
            off = mean(b) - mean(a) + (of_links if value == "mean_ms" else 0.0)
            near = abs(off) <= (NEAR_MS if value == "mean_ms" else NEAR_SHARE * mean(a))
            far += not near
            row(overlay, short, mean(a), of_links, mean(b), off, "" if near else "apart")
    print(f"{far} cells apart")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("pace", "agreement"), default="pace")
    parser.add_argument("--overlay", nargs="+", default=["underlay"])
    parser.add_argument("--rates", default="100,1000")
    parser.add_argument("--rate", default="20")
    parser.add_argument("--hops", default="1,2,3,5")
    parser.add_argument("--duration", type=float, default=5.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"pace": pace, "agreement": agreement}[asked.what](asked, Path(folder))


if __name__ == "__main__":
    main()
