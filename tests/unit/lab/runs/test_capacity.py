"""The bisection for the highest rate that a machine carries, and what is told before a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from experiments.multihop.experiment import Multihop
from lab.runs import capacity
from lab.runs.experiment import Cell
from lab.runs.sample import Sample, Verdict
from topologies.linear import topology

CELL = Cell("fake", "tcp", {"from": "AMS", "to": "PRG"}, 1, 1.0)
BOUND = Verdict(state="emulator-bound", reasons=["the machine's CPUs were 100% busy"])


def sample(verdict: Verdict = Verdict(), **more: Any) -> Sample:  # noqa: B008
    known: dict[str, Any] = {"outcome": "ok", "values": {"received_mbps": 1.0}, "verdict": verdict, **more}
    return Sample(
        run="r", cell="c", overlay="o", metric="tcp", repetition=1, started="", seconds=1.0, **known
    )


class Machine:
    """A machine that carries rates up to a limit, and says how often it was asked."""

    def __init__(self, carries: Callable[[float], bool], hiccups: int = 0) -> None:
        self.carries, self.hiccups = carries, hiccups
        self.rates: list[float] = []
        self.samples = 0

    async def set_rate(self, rate: float) -> None:
        self.rates.append(rate)

    async def measure(self, cell: Cell) -> Sample:
        self.samples += 1
        assert cell.rate == self.rates[-1], "a cell knows what its links carry now, and offers that"
        if self.hiccups and self.samples % self.hiccups == 0:
            return sample(BOUND)
        return sample() if self.carries(self.rates[-1]) else sample(BOUND)

    async def find(self, **more: Any) -> capacity.Capacity:
        return await capacity.search([CELL], self.set_rate, self.measure, **more)


@pytest.mark.parametrize("limit", [1.5, 7, 42, 130, 990])
async def test_the_limit_is_found_within_a_few_rates(limit: float) -> None:
    machine = Machine(lambda rate: rate <= limit)
    found = await machine.find()
    assert found.rate is not None
    assert found.rate <= limit
    assert limit / found.rate < 1.35
    assert len(machine.rates) <= capacity.STEPS
    assert found.above is not None
    assert found.above.rate > limit
    assert found.why().endswith("is emulator-bound: the machine's CPUs were 100% busy")


async def test_a_machine_that_carries_all_is_asked_once() -> None:
    machine = Machine(lambda rate: True)
    found = await machine.find()
    assert (found.rate, found.above, machine.rates) == (1000.0, None, [1000.0])
    assert found.why() == "the highest that was tried; every sample was valid at it"


async def test_a_machine_that_carries_nothing_is_asked_twice() -> None:
    machine = Machine(lambda rate: False)
    found = await machine.find()
    assert (found.rate, machine.rates) == (None, [1000.0, 1.0])
    assert found.above is not None
    assert found.above.rate == 1.0


async def test_one_good_moment_proves_nothing() -> None:
    lucky = iter([False, True, False, *[False] * 9])

    async def measure(cell: Cell) -> Sample:
        return sample() if next(lucky) else sample(BOUND)

    async def set_rate(rate: float) -> None: ...

    assert (await capacity.search([CELL], set_rate, measure)).rate is None


async def test_one_bad_moment_proves_nothing() -> None:
    machine = Machine(lambda rate: rate <= 100, hiccups=3)
    found = await machine.find()
    assert found.rate is not None
    assert 100 / found.rate < 1.35


async def test_a_failed_sample_is_no_carried_rate() -> None:
    async def measure(cell: Cell) -> Sample:
        return sample(outcome="failed", error="iperf3: no route", values={})

    async def set_rate(rate: float) -> None: ...

    found = await capacity.search([CELL], set_rate, measure)
    assert found.rate is None
    assert found.why() == "at 1 Mbit/s fake/tcp/from=AMS/to=PRG is broken: iperf3: no route"


def test_rates_are_told_to_two_digits_downwards() -> None:
    assert [capacity.rounded(r) for r in (31.62, 177.8, 999.9, 1.0, 5.49, 0.314)] == [
        31,
        170,
        990,
        1.0,
        5.4,
        0.31,
    ]


def test_of_each_metric_the_longest_path_is_tried_and_shortly() -> None:
    experiment = Multihop()
    cells = experiment.cells(topology(), "underlay", experiment.profiles["paper"])
    found = {cell.metric: cell for cell in capacity.hardest(cells, topology())}
    assert found["tcp"].params["hops"] == found["udp"].params["hops"] == 5
    assert {cell.repetitions for cell in found.values()} == {1}
    assert max(cell.duration for cell in found.values()) <= capacity.SECONDS + capacity.WARMUP
