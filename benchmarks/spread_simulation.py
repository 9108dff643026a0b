"""A spread run whose machines only wait: the real scheduler, workers and dispatcher, in one process.

    .venv/bin/python benchmarks/spread_simulation.py [--workers 16 64] [--blocks 2000]
    .venv/bin/python benchmarks/spread_simulation.py --workers 64 --blocks 1000 --second 0.005 \\
        --faults 2000 --seeds 1 2 3 4 5

Blocks take as long as recorded ones took (`docs/data`), in a time that runs faster: `--second` is how long a
second of a block lasts. One block in fifty is a straggler and takes three times as long; machines differ by
a tenth. Efficiency is the time of all blocks by the time of all workers: asked are 0.9 of 16 workers and 0.8
of 64, for 2,000 blocks. With faults, blocks end in errors, and workers leave, are killed or fall silent, and
come back, several at once, until so many faults have happened; then nothing may be lost, and nothing may be
there twice.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import dask
from distributed import Client, Scheduler, Status, Worker

from lab.events import silent
from lab.runs import run_folder
from lab.runs.plan import Block, blocks
from lab.runs.run_folder import StoredRun
from lab.spread.design import Design
from lab.spread.dispatcher import Dispatcher, Place, SpreadLimits

DATA = Path(__file__).resolve().parents[1] / "docs" / "data"
OVERLAYS = ("weave", "flannel", "libnetwork", "tinc", "wireguard")
#: One block in so many is a straggler, and takes so many times as long; machines differ by a share.
STRAGGLERS, TIMES, DIFFER = 50, 3.0, 0.1
#: The ways in which a worker goes; of so many workers, one is in trouble at a time.
KINDS, IN_TROUBLE = ("killed", "left", "cut off"), 4
#: After so long a silence, the scheduler gives a worker up (s).
SILENCE = 6
#: So many attempts at a block end in an error, until there were enough faults.
FAILING = 0.65
PATIENT = SpreadLimits(patience=60, failures=10**6, losses=10**6, strikes=10**6, poll=0.2)


async def pretend(seconds: float, error: str) -> float:
    """Take the place of `lab.spread.tasks.carry_out`: wait, and perhaps fail."""
    await asyncio.sleep(seconds)
    if error:
        raise OSError(error)
    return seconds


async def call(data: tuple[float, str]) -> float:
    """Wait for the time in the data; the task of every block."""
    return await pretend(*data)


def stored_runs() -> Iterator[StoredRun]:
    """Yield the runs of the documentation."""
    for archive in sorted(DATA.glob("*.tar.xz")):
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(archive) as packed:
                wanted = [one for one in packed.getmembers() if one.name.endswith((".json", ".jsonl"))]
                packed.extractall(folder, wanted, filter="data")
            for manifest in sorted(Path(folder).rglob("manifest.json")):
                yield run_folder.read(manifest.parent)


def recorded() -> list[float]:
    """Return how long the blocks of the runs in the documentation took (s)."""
    found: Counter[tuple[str, str, int]] = Counter()
    for run in stored_runs():
        for sample in run.samples:
            found[run.manifest.run, sample.overlay, sample.bring_up] += sample.seconds + 1.0
        for name, noted in run.manifest.resources.items():
            for one in noted:
                found[run.manifest.run, name, one.bring_up] += one.seconds
    return [seconds for seconds in found.values() if seconds > 10]


@dataclass
class Simulation:
    """A run of blocks that only wait; it is a `lab.spread.dispatcher.Job`."""

    workers: int
    of: Sequence[Block]
    durations: Sequence[float]
    second: float
    faults: int = 0
    seed: int = 1
    stored: Counter[Block] = field(default_factory=Counter)
    attempts: Counter[Block] = field(default_factory=Counter)
    on: dict[Block, str] = field(default_factory=dict)
    given_up: list[Block] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    useful: float = 0.0
    seconds: float = 0.0

    function = staticmethod(call)

    async def admit(self, place: Place) -> str:
        """Admit every machine."""
        return ""

    def work(self, block: Block, place: Place) -> tuple[str, Any, float]:
        """Return how long a block takes on a machine."""
        self.attempts[block] += 1
        chance = random.Random(f"{self.seed}/{block.name}")
        seconds = chance.choice(self.durations) * (TIMES if chance.randrange(STRAGGLERS) == 0 else 1.0)
        seconds *= 1 + DIFFER * (random.Random(f"{self.seed}/{place.name}").random() - 0.5)
        luck = random.Random(f"{self.seed}/{block.name}/{self.attempts[block]}")
        error = "no space left" if self._more() and luck.random() < FAILING else ""
        self.happened["error"] += bool(error)
        key = f"sim-{block.overlay}-{block.number}-{self.attempts[block]}"
        return key, (seconds * self.second, error), 1.0

    def store(self, block: Block, place: Place, result: float) -> str:
        """Count a result."""
        self.stored[block] += 1
        self.on[block] = place.name
        self.useful += result
        return ""

    def lost(self, block: Block, place: Place, reason: str) -> None:
        """Take no notice."""

    def give_up(self, block: Block, reason: str) -> None:
        """Note that a block is lost."""
        self.given_up.append(block)

    def _more(self) -> bool:
        return sum(self.happened.values()) < self.faults

    async def run(self) -> Simulation:
        """Carry it out."""
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            names = [f"machine-{number:02}" for number in range(1, self.workers + 1)]
            there = {name: await self._start(scheduler.address, name) for name in names}
            count = -(-self.workers // IN_TROUBLE)
            groups = [names[number::count] for number in range(count)]
            trouble = asyncio.gather(*(self._trouble(scheduler.address, there, of) for of in groups))
            async with Client(scheduler.address, asynchronous=True, set_as_default=False) as client:
                design = Design(self.of, names, self.seed)
                start = monotonic()
                await Dispatcher(client, design, self, silent, PATIENT).run()
                self.seconds = monotonic() - start
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)
            await asyncio.gather(*(one.close(timeout=2) for one in there.values()), return_exceptions=True)
        return self

    async def _start(self, address: str, name: str) -> Worker:
        more = {"nthreads": 2, "resources": {"lab": 1}, "dashboard": False}
        return await Worker(address, name=name, heartbeat_interval="5s", **more)

    async def _trouble(self, address: str, there: dict[str, Worker], names: Sequence[str]) -> None:
        """Let these workers go, one after the other, until there were enough faults; and let them come back.

        Others end as well, when this machine is so busy that the scheduler takes them for silent.
        """
        chance = random.Random(f"{self.seed}/trouble/{names[0]}")
        while True:
            await asyncio.sleep(max(self.durations) * self.second * chance.random())
            name, kind = chance.choice(names), chance.choice(KINDS)
            if self._more():
                self.happened[kind] += 1
                await go(there[name], kind)
            for ended in [one for one in names if there[one].status == Status.closed]:
                there[ended] = await self._back(address, ended)

    async def _back(self, address: str, name: str) -> Worker:
        """Start a worker again, as soon as the scheduler has forgotten the one of that name."""
        while True:
            try:
                return await self._start(address, name)
            except (ValueError, OSError, RuntimeError):
                await asyncio.sleep(0.1)

    @property
    def efficiency(self) -> float:
        """The time of blocks that count, by that of all workers."""
        return self.useful / (self.workers * self.seconds)

    def faulty(self) -> list[str]:
        """Return what was lost, or is there twice."""
        lost = [f"{block.name} is lost" for block in self.of if not self.stored[block]]
        return lost + [f"{block.name} is there {n} times" for block, n in self.stored.items() if n > 1]

    def imbalance(self) -> int:
        """Return by how many blocks the overlays differ on a machine at most."""
        counts = Counter((self.on[block], block.overlay) for block in self.of)
        machines = {name for name, _ in counts}
        return max(
            max(counts[name, overlay] for overlay in OVERLAYS)
            - min(counts[name, overlay] for overlay in OVERLAYS)
            for name in machines
        )


async def go(worker: Worker, kind: str) -> None:
    """Let a worker go: in order; with all its connections, as at the end of its process; or by silence.

    A silent one goes on to measure, until the scheduler gives it up.
    """
    if kind == "cut off":
        worker.periodic_callbacks["heartbeat"].stop()
        await worker.finished()
        return
    if kind == "killed":
        for comm in (worker.batched_stream.comm, *worker._comms):  # noqa: SLF001  as the kernel would
            comm.abort()
    await worker.close(timeout=0.5, executor_wait=False)


def simulate(
    workers: int, count: int, durations: Sequence[float], second: float, faults: int = 0, seed: int = 1
) -> Simulation:
    """Return a run of `count` blocks on so many workers."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    wanted = blocks(OVERLAYS, count // len(OVERLAYS), seed)
    patience = f"{SILENCE if faults else 300}s"
    with dask.config.set({"distributed.scheduler.worker-ttl": patience}):
        return asyncio.run(Simulation(workers, wanted, durations, second, faults, seed).run())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--second", type=float, default=0.04)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    status, durations, happened = 0, recorded(), Counter[str]()
    for workers, seed in product(asked.workers, asked.seeds):
        done = simulate(workers, asked.blocks, durations, asked.second, asked.faults, seed)
        happened += done.happened
        print(
            f"{workers} workers, seed {seed}: {len(done.stored)} blocks in {done.seconds:.1f} s, efficiency "
            f"{done.efficiency:.3f}, overlays differ by {done.imbalance()} on a machine at most; "
            f"{in_words(done.happened)}; {len(done.faulty())} lost or doubled",
            flush=True,
        )
        for words in done.faulty()[:10]:
            print(f"    {words}")
        status |= bool(done.faulty() or done.given_up)
    if len(asked.seeds) > 1:
        print(f"in all: {in_words(happened)}")
    return status


def in_words(happened: Counter[str]) -> str:
    """Return how many faults there were, and of which kinds."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(happened.items()) if n)
    return f"{happened.total()} faults ({kinds})" if kinds else "no faults"


if __name__ == "__main__":
    sys.exit(main())
