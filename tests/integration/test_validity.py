"""Verdicts on hosts and machines that were starved on purpose: two hosts of a tenth of a CPU, one link.

Other work may run on the machine that tests: so what must be there is a reason, and what must not
is never asked; how often a quiet sample is accused is for `benchmarks/validity.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from lab.app.request import load_experiment
from lab.app.trial import TrialLab, trial
from lab.emulation.ownership import Process
from lab.errors import ShaperError
from lab.runs.experiment import Cell
from lab.runs.sample import Sample
from overlays.registry import parse
from topologies import point_to_point

pytestmark = pytest.mark.timed

T = TypeVar("T")
TOPOLOGY = point_to_point.topology(rate=200.0).with_cpus(0.1)
ENDS = {"from": "AMS", "to": "BRA", "hops": 1}
TCP = Cell("underlay", "tcp", ENDS, 1, 2.0)
LATENCY = Cell("underlay", "latency", ENDS, 1, 2.0)
BRIDGED = "/proc/sys/net/bridge/bridge-nf-call-iptables"


@dataclass
class Up:
    """The lab, and the loop that everything in it runs on."""

    loop: asyncio.Runner
    lab: TrialLab

    def sample(self, cell: Cell) -> Sample:
        return self.loop.run(self.lab.sample(cell))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @property
    def wire(self) -> Process:
        """The wire's process; where the kernel shapes, there is none to disturb."""
        found = self.lab.emulation.shaper.processes
        if not found:
            pytest.skip("the kernel shapes these links; there is no process that could be kept from it")
        return found[0]


@asynccontextmanager
async def underlay() -> AsyncIterator[TrialLab]:
    async with trial(TOPOLOGY, parse("underlay"), load_experiment("multihop"), [TCP, LATENCY]) as lab:
        yield lab


@pytest.fixture(scope="module")
def up(docker_daemon: None) -> Iterator[Up]:
    with asyncio.Runner() as loop:
        context = underlay()
        lab = loop.run(context.__aenter__())
        yield Up(loop, lab)
        loop.run(context.__aexit__(None, None, None))


@contextmanager
def hogs() -> Iterator[None]:
    """Two busy programs for every processor."""
    argv = [sys.executable, "-S", "-c", "while True: pass"]
    started = [subprocess.Popen(argv) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


async def beside(up: Up, cell: Cell, trouble: Callable[[], Awaitable[None]]) -> Sample:
    """A sample in whose middle something is done: when packets of it have gone for a while.

    Hosts of a tenth of a CPU take their time to start what measures.
    """
    shaper = up.lab.emulation.shaper

    async def carried() -> int:
        return sum(way.packets for link in (await shaper.counters()).values() for way in link.values())

    async def later() -> None:
        before = await carried()
        while await carried() < before + 40:
            await asyncio.sleep(0.02)
        await trouble()

    return (await asyncio.gather(up.lab.sample(cell), later()))[0]


def has(sample: Sample, words: str) -> bool:
    return any(words in reason for reason in sample.verdict.reasons)


def test_a_host_at_its_quota_is_named_and_its_sample_counts_unless_the_machine_is_bound(up: Up) -> None:
    # when hosts of a tenth of a CPU send as fast as they can over a link that takes more
    sample = up.sample(TCP)
    # then the sample says who was held, and that this was a host's limit if it was no other's
    assert sample.ok, sample.error
    assert has(sample, "was held at its CPU quota"), sample.verdict
    assert sample.verdict.state in ("host-bound", "emulator-bound")
    assert sample.valid == (sample.verdict.state == "host-bound")
    assert 1 < sample.values["received_mbps"] < 190
    assert abs(sample.machine["clock"]["set_ms"]) < 1


def test_a_machine_without_cpu_turns_the_verdict_of_a_host_at_its_quota(up: Up) -> None:
    with hogs():
        sample = up.sample(TCP)
    assert sample.verdict.state == "emulator-bound"
    assert has(sample, "the machine's CPUs were 100% busy") or has(sample, "busy")
    assert has(sample, "was held at its CPU quota"), sample.verdict
    assert not sample.valid


def test_so_does_one_without_cpu_for_half_of_a_sample(up: Up) -> None:
    # long enough that half of it is a good part of it all: these hosts take seconds to start what measures
    cell = replace(LATENCY, seconds=6.0)

    async def burst() -> None:
        with hogs():
            await asyncio.sleep(cell.seconds / 2)

    sample = up.do(beside(up, cell, burst))
    assert sample.verdict.state == "emulator-bound", sample.verdict
    # whichever of them shows it first: the machine's counters, or packets that had to wait for a CPU
    assert has(sample, "the machine had no CPU left") or has(sample, "busy") or has(sample, "late"), (
        sample.verdict
    )


def test_a_wire_that_stood_still_for_a_moment_shows_as_late(up: Up) -> None:
    wire = up.wire

    async def pause() -> None:
        os.kill(wire.pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        os.kill(wire.pid, signal.SIGCONT)

    sample = up.do(beside(up, LATENCY, pause))
    assert sample.verdict.state == "emulator-bound"
    assert has(sample, "late"), sample.verdict
    assert sample.values["max_ms"] > 60


def test_a_packet_filter_switched_off_breaks_the_sample_in_which_it_was(up: Up) -> None:
    up.wire  # noqa: B018
    inside = ["ip", "netns", "exec", f"lab-{up.lab.emulation.state.lab_id}", "sh", "-c"]

    def switch(value: int) -> None:
        subprocess.run([*inside, f"echo {value} > {BRIDGED}"], check=True)

    async def off() -> None:
        switch(0)

    try:
        sample = up.do(beside(up, LATENCY, off))
    finally:
        switch(1)
    assert sample.verdict.state == "broken"
    assert has(sample, "bridge-nf-call-iptables of"), sample.verdict
    assert not sample.ok
    # and once it is on again, samples are measured as before
    assert up.sample(LATENCY).verdict.state != "broken"


def test_a_wire_that_is_killed_breaks_the_sample_and_everything_can_be_taken_away(
    docker_daemon: None,
) -> None:
    async def all_of_it() -> tuple[str, Sample]:
        async with underlay() as lab:
            shaper, state = lab.emulation.shaper, lab.emulation.state
            assert shaper is not None
            assert state is not None
            if not shaper.processes:
                pytest.skip("the kernel shapes these links; there is no process to kill")
            (wire,) = shaper.processes

            async def kill() -> None:
                await asyncio.sleep(LATENCY.seconds / 2)
                os.kill(wire.pid, signal.SIGKILL)

            sample = (await asyncio.gather(lab.sample(LATENCY), kill()))[0]
            # nothing more is measured on links that carry nothing
            with pytest.raises(ShaperError, match="drop every packet"):
                await lab.sample(LATENCY)
            return state.lab_id, sample

    lab_id, sample = asyncio.run(all_of_it())
    assert sample.verdict.state == "broken"
    assert sample.outcome == "failed"
    assert has(sample, "its links drop every packet"), sample.verdict
    # and nothing with the lab's id is left, whatever other labs there are
    for shown in (["ip", "netns"], ["docker", "ps", "-a", "--format", "{{.Names}}"]):
        assert lab_id not in subprocess.run(shown, capture_output=True, text=True, check=True).stdout


def test_capacity_tries_rates_on_one_lab_and_says_what_it_found(docker_daemon: None) -> None:
    argv = [
        sys.executable,
        "-m",
        "lab",
        "capacity",
        "point_to_point",
        "--min-rate",
        "1",
        "--max-rate",
        "20",
        "--json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=240)
    # one line for the one overlay; progress is not in it
    assert done.stdout, done.stderr
    for phase in ("a packet between every pair of endpoints", "warm-up"):
        assert f"underlay: {phase}: done" in done.stderr, "brought up as a run brings it up"
    found = json.loads(done.stdout)
    tried = [trial["rate"] for trial in found["trials"]]
    assert (found["overlay"], found["topology"]) == ("underlay", "point_to_point")
    assert tried[0] == 20.0
    assert len(tried) <= 8
    # on a machine that is busy with other work nothing may be carried, which it then says
    assert done.returncode == (0 if found["rate"] else 1), done.stderr
    if found["rate"] != 20.0:
        assert found["above"]["reasons"]
        assert found["above"]["state"] in ("emulator-bound", "broken")
