"""Verdicts put to the test: as many samples of a disturbed machine as of a quiet one. Needs root.

    sudo .venv/bin/python benchmarks/validity.py [--samples 100] [--seconds 1] [--rate 100] [--keep FILE]

Two hosts on one link carry TCP, UDP and requests, one sample after the other, disturbed and quiet
ones in random order. A disturbance is one that the figures of a sample suffer from:

    hogs     two busy programs per processor, for the whole sample
    burst    the same, for the middle half of it
    wire     the process of the wire is stopped for a tenth of a second (where the wire shapes)
    flood    other programs send as fast as they can between interfaces of their own

Aimed at: at least 95 of 100 disturbed samples are not counted, at most 5 of 100 quiet ones. What else
runs on the machine is no part of the benchmark: samples to which nothing was done but beside which others
used the machine are a row of their own, and say nothing about the aim.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.app.request import load_experiment
from lab.app.trial import TrialLab, trial
from lab.errors import LabError
from lab.measure.cpu_saturation import busy_share
from lab.measure.machine import read_ticks
from lab.runs.experiment import Cell
from lab.runs.sample import Sample
from lab.util.signals import cancel_on_signal
from overlays.registry import parse
from topologies.point_to_point import topology

#: Shares of samples that are not counted: at least of disturbed ones, at most of quiet ones.
CAUGHT, ACCUSED = 0.95, 0.05
HOG = [sys.executable, "-S", "-c", "while True: pass"]
METRICS = ("tcp", "udp", "latency")
#: The part of a sample that a burst takes.
HALF = 0.5
#: s for which the wire is stopped, and s until the tool of a sample has begun to measure.
STOPPED, WAIT = 0.1, 0.2
ENTER = ["ip", "netns", "exec"]
#: Share of the CPUs that others may use beside a quiet sample, s over which that is looked at, how often
#: that is waited for, and how often a sample is taken again.
OTHERS, LOOK, PATIENCE, TRIES = 0.15, 0.25, 8, 2


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill processes that this program started."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


@contextmanager
def hogs() -> Iterator[None]:
    """Two busy programs for every processor."""
    count = 2 * (os.cpu_count() or 1)
    started = [subprocess.Popen(HOG) for _ in range(count)]
    try:
        yield
    finally:
        end(started)


class Flood:
    """Two namespaces of the benchmark's own between which iperf3 sends as fast as it can."""

    def __init__(self) -> None:
        self._ends = [f"flood{os.getpid()}{letter}" for letter in "ab"]

    def __enter__(self) -> Flood:
        a, b = self._ends
        for name in self._ends:
            _run("ip", "netns", "add", name)
        _run("ip", "-n", a, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", b)
        for number, name in enumerate(self._ends, start=1):
            _run("ip", "-n", name, "addr", "add", f"198.18.0.{number}/30", "dev", "veth")
            _run("ip", "-n", name, "link", "set", "veth", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._ends:
            _run("ip", "netns", "del", name)

    @contextmanager
    def flows(self) -> Iterator[None]:
        """A sender for every processor, each with its receiver."""
        pairs = [self._pair(5201 + number) for number in range(os.cpu_count() or 1)]
        try:
            yield
        finally:
            end([process for pair in pairs for process in pair])

    def _pair(self, port: int) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        """A receiver that listens, and its sender."""
        a, b = ([*ENTER, name, "iperf3", "-p", str(port)] for name in self._ends)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen([*b, "-s"], **quiet)
        while f":{port:04X} " not in Path(f"/proc/{server.pid}/net/tcp6").read_text():
            if server.poll() is not None:
                raise SystemExit("validity: iperf3 does not listen")
        return subprocess.Popen([*a, "-c", "198.18.0.2", "-t", "60"], **quiet), server


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)


UNDISTURBED = ("quiet", "beside others")
LAST = ("all disturbed", *UNDISTURBED)
Measure = Callable[[], Awaitable[Sample]]


class Disturbances:
    """Disturbances of the machine, or of the lab, while a sample is measured."""

    def __init__(self, lab: TrialLab, flood: Flood, seconds: float) -> None:
        self._lab, self._flood, self._seconds = lab, flood, seconds
        self.all = {"hogs": self.hogs, "burst": self.burst, "flood": self.flood}
        if lab.emulation.shaper is not None and lab.emulation.shaper.processes:
            self.all["wire"] = self.wire

    async def hogs(self, measure: Measure) -> Sample:
        with hogs():
            return await measure()

    async def flood(self, measure: Measure) -> Sample:
        with self._flood.flows():
            return await measure()

    async def burst(self, measure: Measure) -> Sample:
        async def later() -> None:
            await asyncio.sleep(self._seconds * (1 - HALF) / 2 + WAIT)
            with hogs():
                await asyncio.sleep(self._seconds * HALF)

        return (await asyncio.gather(measure(), later()))[0]

    async def wire(self, measure: Measure) -> Sample:
        (process,) = self._lab.emulation.shaper.processes

        async def later() -> None:
            await asyncio.sleep(self._seconds / 2 + WAIT)
            os.kill(process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(STOPPED)
            finally:
                os.kill(process.pid, signal.SIGCONT)

        return (await asyncio.gather(measure(), later()))[0]


class Quiet:
    """Samples to which nothing is done; whether others use the machine is seen right before and after."""

    async def __call__(self, measure: Measure) -> tuple[str, Sample]:
        """A sample beside which nothing else ran, or after some tries one that others ran beside."""
        for _ in range(TRIES):
            before = await self._alone()
            sample = await measure()
            if before and await self._alone():
                return "quiet", sample
        return "beside others", sample

    async def _alone(self) -> bool:
        for _ in range(PATIENCE):
            before = read_ticks()
            await asyncio.sleep(LOOK)
            if busy_share(before, read_ticks()) <= OTHERS:
                return True
        return False


async def judged(asked: argparse.Namespace, found: list[tuple[str, Sample]]) -> None:
    """Add every sample with the name of what was done to it."""
    experiment = load_experiment("multihop")
    ends = {"from": "AMS", "to": "BRA", "hops": 1}
    cells = [Cell("underlay", metric, ends, 1, asked.seconds) for metric in METRICS]
    shape = topology(rate=asked.rate).with_cpus(asked.cpus)
    with ExitStack() as stack:
        flood = stack.enter_context(Flood())
        async with trial(shape, parse(asked.overlay), experiment, cells, shaper=asked.shaper) as lab:
            known = Disturbances(lab, flood, asked.seconds).all
            kinds, quiet = asked.kinds.split(",") if asked.kinds else list(known), Quiet()
            if unknown := set(kinds) - set(known):
                raise SystemExit(f"validity: no disturbance {', '.join(unknown)}; known: {', '.join(known)}")
            todo = [kinds[n % len(kinds)] for n in range(asked.samples)] + ["quiet"] * asked.samples
            random.Random(asked.seed).shuffle(todo)
            for number, kind in enumerate(todo):
                cell = cells[number % len(cells)]
                measure = partial(lab.sample, cell)
                if kind in known:
                    sample = await known[kind](measure)
                else:
                    kind, sample = await quiet(measure)
                found.append((kind, sample))
                if asked.keep:
                    with asked.keep.open("a") as file:
                        file.write(json.dumps({"kind": kind, **json.loads(sample.line())}) + "\n")
                if asked.verbose:
                    values = {key: round(value, 2) for key, value in sample.values.items()}
                    print(kind, cell.metric, sample.verdict.state, sample.verdict.reasons, values, flush=True)


def table(found: Sequence[tuple[str, Sample]]) -> str:
    """Print how samples were judged by what was done to them; returns what came of the aim."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, sample in found:
        rows[kind][sample.verdict.state] += 1
        if kind not in UNDISTURBED:
            rows["all disturbed"][sample.verdict.state] += 1
    states = ("valid", "host-bound", "emulator-bound", "broken")
    print(f"{'':>14}" + "".join(f"{state:>16}" for state in states) + f"{'not counted':>16}")
    shares = {}
    for kind, row in sorted(rows.items(), key=lambda item: (item[0] in LAST, item[0])):
        total = row.total()
        shares[kind] = (row["emulator-bound"] + row["broken"]) / total
        print(f"{kind:>14}" + "".join(f"{row[state]:16}" for state in states) + f"{shares[kind]:16.0%}")
    if not {"all disturbed", "quiet"} <= shares.keys():
        return "cannot be told: no sample was disturbed, or beside every quiet one others used the machine"
    return "met" if shares["all disturbed"] >= CAUGHT and shares["quiet"] <= ACCUSED else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=50, help="disturbed ones, and as many quiet ones")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each sample")
    parser.add_argument("--rate", type=float, default=100.0, help="of the link, Mbit/s")
    parser.add_argument("--cpus", type=float, default=None, help="of each host")
    parser.add_argument("--overlay", default="underlay")
    parser.add_argument("--shaper", default="auto")
    parser.add_argument("--kinds", default="", help="disturbances, with commas between; all by default")
    parser.add_argument("--seed", type=int, default=7, help="of the order")
    parser.add_argument("--keep", type=Path, help="add every sample to this file, as a line of JSON")
    parser.add_argument("--verbose", action="store_true", help="print every sample as it comes")
    asked = parser.parse_args()
    start = monotonic()
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    found: list[tuple[str, Sample]] = []
    try:
        asyncio.run(cancel_on_signal(judged(asked, found)))
    except asyncio.CancelledError:
        print("interrupted: what there is")
    came = table(found)
    print(f"{monotonic() - start:.0f} s, load {os.getloadavg()[0]:.1f} after; aim {came}")
    sys.exit(0 if came == "met" else 1)


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        raise SystemExit(f"validity: {error}") from error
