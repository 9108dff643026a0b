"""The dispatcher on Dask's real scheduler and workers, whose blocks only wait; and many faults."""

from __future__ import annotations

import asyncio

import pytest
from distributed import Client, Scheduler, Worker

from benchmarks import spread_simulation
from benchmarks.spread_simulation import PATIENT, Simulation, simulate
from lab.errors import RunError
from lab.events import Event, Note
from lab.runs.plan import blocks
from lab.spread.design import Design
from lab.spread.dispatcher import Dispatcher, SpreadLimits, result_of

DURATIONS = (20.0, 25.0, 30.0, 90.0, 100.0)


def test_every_block_is_there_once_and_overlays_are_spread_evenly() -> None:
    done = simulate(4, 40, DURATIONS, second=0.01)
    assert done.faulty() == []
    assert done.given_up == []
    assert done.imbalance() <= 3
    assert done.efficiency > 0.3  # a loaded machine measures its own load; benchmarks/ has the figure


def test_nothing_is_lost_or_doubled_over_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_simulation, "SILENCE", 2)
    monkeypatch.setattr(spread_simulation, "IN_TROUBLE", 1)
    done = simulate(4, 40, DURATIONS, second=0.004, faults=150, seed=3)
    assert sum(done.happened.values()) >= 20  # a slow machine has measured all before the rest happens
    assert len([kind for kind, n in done.happened.items() if n]) >= 3
    assert done.faulty() == []


async def test_results_on_a_machine_that_does_not_answer_delay_no_other() -> None:
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        deaf, other = [await Worker(scheduler.address, name=n, dashboard=False) for n in ("deaf", "other")]
        async with Client(scheduler.address, asynchronous=True, set_as_default=False) as client:
            lost = [client.submit(int, n, workers=[deaf.address], pure=False) for n in range(8)]
            for future in lost:
                await future.exception()  # they are done, and their results lie there
            deaf.stop()
            asked = [asyncio.ensure_future(result_of(client, future)) for future in lost]
            await asyncio.sleep(0.2)
            there = asyncio.ensure_future(
                result_of(client, client.submit(int, 7, workers=[other.address], pure=False))
            )
            await asyncio.sleep(0.1)
            asked[0].cancel()
            assert await asyncio.wait_for(there, 10) == 7
            assert not any(task.done() for task in asked[1:])
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        await deaf.close(timeout=1)
        await other.close(timeout=1)


async def run_on(count: int, limits: SpreadLimits, seen: list[Event], **more: int) -> None:
    """Let a dispatcher run on so many workers, which go after a moment."""
    job = Simulation(count, blocks(("weave",), 4, 1), DURATIONS, second=0.01)
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        there = [
            await Worker(scheduler.address, name=f"m{n}", nthreads=2, resources={"lab": 1}, dashboard=False)
            for n in range(count)
        ]
        async with Client(scheduler.address, asynchronous=True, set_as_default=False) as client:
            dispatcher = Dispatcher(client, Design(job.of, [], 1), job, seen.append, limits)
            work = asyncio.ensure_future(dispatcher.run())
            await asyncio.sleep(0.5)
            for worker in there:
                await worker.close(timeout=1)
            await work


async def test_a_run_without_machines_waits_and_then_ends_with_what_to_do() -> None:
    with pytest.raises(RunError, match="has had no machine for 1 s; start 'lab worker' on one"):
        await run_on(0, SpreadLimits(patience=1.0, poll=0.1), [])


async def test_a_block_whose_machine_is_always_lost_is_given_up() -> None:
    seen: list[Event] = []
    with pytest.raises(RunError, match="no machine"):
        await run_on(1, SpreadLimits(patience=1.0, poll=0.1, losses=0), seen)
    assert Note("machine m0 is gone") in seen


async def test_a_machine_that_refuses_all_is_named_in_the_end() -> None:
    class Refusing(Simulation):
        async def admit(self, place: object) -> str:
            return "no disk"

    job = Refusing(1, blocks(("weave",), 1, 1), DURATIONS, second=0.01)
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        worker = await Worker(scheduler.address, name="m", resources={"lab": 1}, dashboard=False)
        async with Client(scheduler.address, asynchronous=True, set_as_default=False) as client:
            dispatcher = Dispatcher(client, Design(job.of, ["m"], 1), job, lambda event: None, PATIENT)
            with pytest.raises(RunError, match=r"no machine is left that may measure \(m: no disk\)"):
                await dispatcher.run()
        await worker.close(timeout=1)
