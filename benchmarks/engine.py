"""Cost of the run engine: its share of the time, a sample's way to disk, and a big run's report.

    sudo python benchmarks/engine.py                  all three; the first takes four minutes
    python benchmarks/engine.py --only append report  without a lab
    python benchmarks/engine.py --run FOLDER          the share, of a run that is there

Aimed at: for at least 85 % of the time after bring-up a tool is measuring; a sample is on disk within 5 ms;
the report of 10,000 samples takes less than 10 s and 500 MiB. The samples of the last two are made
up: they are thrown away with their folder and say nothing about any network.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.app.request import load_experiment
from lab.runs.experiment import Cell, Profile
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.run_folder import RunFolder, StoredRun, read
from lab.runs.runner import plan_cells
from lab.runs.sample import Sample
from topologies.linear import topology

PARTS = ("append", "report", "share")
SAMPLES = 10_000
APPENDED = 300
#: What iperf3 prints for three seconds (bytes): a typical raw output.
RAW = 4000


def main() -> None:
    """Measure what was asked for and print one line of JSON for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--run", type=Path, help="a run folder of the multi-hop experiment")
    parser.add_argument("--render", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.render:
        _render(asked.render)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for part in ("share",) if asked.run else asked.only:
            found = {"append": append, "report": report, "share": share}[part](Path(scratch), asked.run)
            print(json.dumps({"part": part, **found}), flush=True)


def append(scratch: Path, _: Path | None) -> dict[str, float]:
    """Time that a sample with its raw output takes to be flushed to disk (ms)."""
    took = []
    with _new(scratch / "append") as folder:
        for number in range(1, APPENDED + 1):
            sample, start = _sample(_cells()[0], number, random.Random(number)), perf_counter()
            folder.append(sample, "x" * RAW)
            took.append((perf_counter() - start) * 1000)
    return {
        "samples": APPENDED,
        "median_ms": round(median(took), 2),
        "p95_ms": round(quantiles(took, n=20)[-1], 2),
    }


def report(scratch: Path, _: Path | None) -> dict[str, float]:
    """Figures and page of a big run: time (s) and peak memory (MiB) of a process of its own."""
    folder = _big(scratch / "report")
    start = perf_counter()
    subprocess.run([sys.executable, __file__, "--render", str(folder)], check=True)
    seconds = perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "samples": SAMPLES,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / 1024),
        "page_mb": round((folder / "report.html").stat().st_size / 1e6, 2),
    }


def _render(folder: Path) -> None:
    from lab.report.html import write

    run = read(folder)
    experiment = load_experiment(run.manifest.experiment)
    write(run, experiment, folder, experiment.figures(run, folder / "figures"))


def share(scratch: Path, given: Path | None) -> dict[str, float]:
    """The part of the time from the first sample to the last a tool was at work; of that, at its test.

    The rest of a tool's time is its hand-shakes, round trips that no engine can save.
    """
    run = read(given or _measured(scratch / "share"))
    grid = plan_cells(load_experiment("multihop"), topology(), list(run.manifest.overlays), _profile(run))
    durations = {cell.key: cell.duration for cells in grid.values() for cell in cells}
    tested = sum(durations[sample.cell] for sample in run.samples)
    phases = [
        sum(phase.get(n, 0.0) for n in ("warm-up", "measuring")) for phase in run.manifest.timing.values()
    ]
    whole, tools = sum(phases), sum(sample.seconds for sample in run.samples)
    return {
        "samples": len(run.samples),
        "wall_s": round(whole, 1),
        "tools_s": round(tools, 1),
        "share": round(tools / whole, 3),
        "tests_s": round(tested, 1),
        "share_of_tests": round(tested / whole, 3),
    }


def _measured(results: Path) -> Path:
    argv = [
        sys.executable,
        "-m",
        "lab",
        "emulate",
        "multihop",
        "--overlay",
        "underlay",
        "--results",
        str(results),
    ]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    (folder,) = results.iterdir()
    return folder


def _profile(run: StoredRun) -> Profile:
    return Profile(**run.manifest.profile)


def _cells() -> list[Cell]:
    experiment = load_experiment("multihop")
    names = ["underlay", "weave", "libnetwork"]
    grid = plan_cells(experiment, topology(), names, experiment.profiles["paper"])
    return [cell for cells in grid.values() for cell in cells]


def _new(results: Path) -> RunFolder:
    experiment = load_experiment("multihop")
    manifest = Manifest(
        run="bench",
        experiment="multihop",
        created="2030-01-02T03:04:05+00:00",
        topology=topology(rate=20).to_dict(),
        profile=asdict(experiment.profiles["paper"]),
        overlays={name: OverlayState(state="ok") for name in ("underlay", "weave", "libnetwork")},
    )
    return RunFolder.create(results, manifest)


def _sample(cell: Cell, repetition: int, chance: random.Random) -> Sample:
    values = {name: 50 + chance.gauss(0, 1) for name in ("mean_ms", "p99_ms", "received_mbps", "sent_mbps")}
    return Sample(
        run="bench",
        cell=cell.key,
        overlay=cell.overlay,
        metric=cell.metric,
        params=dict(cell.params),
        repetition=repetition,
        started="2030-01-02T03:04:05.000+00:00",
        seconds=1.0,
        outcome="ok",
        values=values,
        mode={"mode": "made up"},
        links={
            f"link {n} ab": {"packets": 1000, "bytes": 10**6, "overflow": 0, "unasked": 0} for n in range(5)
        },
    )


def _big(results: Path) -> Path:
    """A run of `SAMPLES` made-up samples, written at once: how they got there is not measured."""
    chance, cells = random.Random(1), _cells()
    with _new(results) as folder:
        lines = [_sample(cells[n % len(cells)], n // len(cells) + 1, chance).line() for n in range(SAMPLES)]
        (folder.path / "samples.jsonl").write_text("".join(lines))
        return folder.path


if __name__ == "__main__":
    main()
