"""The dispatcher of a spread run: gives every machine its next block, and a lost block to another machine.

It uses Dask's own means: a task per block, bound to a worker, that takes the worker's lab as a resource; its
result; and a data set of that name while it runs. The data set keeps the task wanted when the client dies, so
that a client which resumes the run finds its blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from lab.errors import RunError
from lab.events import Emit, Note
from lab.runs.plan import Block
from lab.spread import tasks
from lab.spread.design import Design

if TYPE_CHECKING:
    from distributed import Client, Future

#: How often the scheduler is asked which workers it has (s), and how long it may take to answer (s).
POLL, ANSWER = 1.0, 30.0
#: When a result is asked for again that could not be had from its worker (s).
AGAIN = 0.5


@dataclass(frozen=True)
class SpreadLimits:
    """SpreadLimits of a run's patience.

    Attributes:
        patience: how long it waits for a machine when it has none (s).
        failures: so many errors of one block end the attempts at it.
        losses: more losses of the machine that measures it do so, too.
        strikes: after so many blocks in a row that failed on it, a machine gets no more.
        poll: how often it looks for machines that came or went (s).
    """

    patience: float = 300.0
    failures: int = 3
    losses: int = 10
    strikes: int = 2
    poll: float = POLL


@dataclass
class Place:
    """A worker: the machine's name, and the address at which the scheduler knows it this time."""

    name: str
    address: str
    slots: int = 1
    admitted: bool = False
    asked: asyncio.Task[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[Block, asyncio.Task[None]] = field(default_factory=dict)


class Job(Protocol):
    """The run that blocks belong to."""

    #: A function of the lab, which workers import by its name.
    function: Callable[..., Any]

    async def admit(self, place: Place) -> str:
        """Check a machine; returns why it gets no blocks, "" if it gets some. May set `slots`."""

    def work(self, block: Block, place: Place) -> tuple[str, Any, float]:
        """Note that a block goes to a machine; returns the task's key, its data, and its share of a lab."""

    def store(self, block: Block, place: Place, result: Any) -> str:
        """Put a block's result on disk; returns why its machine gets no more, "" if it does."""

    def lost(self, block: Block, place: Place, reason: str) -> None:
        """Note that an attempt failed."""

    def give_up(self, block: Block, reason: str) -> None:
        """Note that a block is not tried any more."""


class Dispatcher:
    """Blocks on their way to machines and back.

    Args:
        client: of Dask, asynchronous.
        design: of the run: which machine gets which block.
        job: the run.
        emit: told of machines that come, go, and get no more.
        limits: of its patience.
    """

    def __init__(
        self, client: Client, design: Design, job: Job, emit: Emit, limits: SpreadLimits = SpreadLimits()
    ) -> None:
        self._client, self._design, self._job, self._emit = client, design, job, emit
        self._limits = limits
        self._places: dict[str, Place] = {}
        #: Machines that get no more blocks, by name, with the reason.
        self.refused: dict[str, str] = {}
        self._failures: dict[Block, int] = {}
        self._losses: dict[Block, int] = {}
        self._strikes: dict[str, int] = {}
        self._freed = asyncio.Event()
        self._error: Exception | None = None
        self._forgetting: set[asyncio.Task[None]] = set()
        self._alone = monotonic()

    async def run(self, adopted: Collection[tuple[Block, str, str]] = ()) -> None:
        """Measure every block of the design, or give it up.

        Args:
            adopted: blocks that are under way from before: with the worker's address and the task's key.

        Raises:
            RunError: the scheduler is gone, or there is no machine left; what was measured is kept.
        """
        waiting = list(adopted)
        try:
            for block, address, _ in waiting:
                self._design.adopt(block, address)
            while self._design.left:
                await self._look()
                if self._error:
                    raise self._error
                waiting = [one for one in waiting if not self._take_up(*one)]
                self._give()
                self._freed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._freed.wait(), self._limits.poll)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        tasks = [task for place in self._places.values() for task in place.running.values()]
        tasks += [place.asked for place in self._places.values() if place.asked]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._forgetting)

    async def _look(self) -> None:
        """Find out which workers there are: admit new ones, and take the blocks of lost ones back."""
        there = await workers(self._client)
        for address in set(self._places) - set(there):
            await self._lose(self._places.pop(address))
        for address, name in there.items():
            if address not in self._places:
                self._places[address] = place = Place(name, address)
                if name not in self.refused:
                    place.asked = asyncio.ensure_future(self._admit(place))
        self._wait_or_end()

    def _wait_or_end(self) -> None:
        if any(place.name not in self.refused for place in self._places.values()):
            self._alone = monotonic()
        elif self._places:
            why = "; ".join(f"{name}: {reason}" for name, reason in sorted(self.refused.items()))
            raise RunError(f"no machine is left that may measure ({why}); go on with --resume and others")
        elif monotonic() - self._alone > self._limits.patience:
            raise RunError(
                f"the scheduler has had no machine for {self._limits.patience:g} s; "
                "start 'lab worker' on one, and go on with --resume"
            )

    async def _admit(self, place: Place) -> None:
        try:
            reason = await self._job.admit(place)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # of the worker's, whatever it was: the machine is not usable
            reason = str(error)
        if place.address not in self._places:
            return
        if reason:
            self.refuse(place.name, reason)
        else:
            place.admitted = True
            self._emit(Note(f"machine {place.name} measures"))
        self._freed.set()

    def refuse(self, name: str, reason: str) -> None:
        """Give a machine no more blocks; it finishes those that it measures now."""
        if name not in self.refused:
            self.refused[name] = reason
            self._emit(Note(f"machine {name} gets no more blocks: {reason}"))
            self._design.leave(name)

    def _give(self) -> None:
        """Give every machine that is free a block."""
        usable = [p for p in self._places.values() if p.admitted and p.name not in self.refused]
        self._design.unstick([place.name for place in usable])
        for place in usable:
            while len(place.running) < place.slots and (block := self._design.take(place.name)):
                place.running[block] = asyncio.ensure_future(self._measure(block, place))

    def _take_up(self, block: Block, address: str, key: str) -> bool:
        """Go on with a block that a machine measures already; False while that machine is not admitted."""
        place = self._places.get(address)
        if place is None or place.name in self.refused:
            self._lost(block, place or Place("", address), "its machine is gone")
            return True
        if place.admitted:
            place.running[block] = asyncio.ensure_future(self._measure(block, place, key))
        return place.admitted

    async def _measure(self, block: Block, place: Place, key: str = "") -> None:
        """Let a machine measure a block, and store what comes of it."""
        try:
            key, future = await self._ask(block, place, key)
            # Dask goes on to wait for a result that was lost with its worker, also when it is cancelled
            result = asyncio.ensure_future(result_of(self._client, future))
            gone = asyncio.ensure_future(place.gone.wait())
            try:
                await asyncio.wait([result, gone], return_when=asyncio.FIRST_COMPLETED)
                self._settle(block, place, result)
            finally:
                result.cancel()
                gone.cancel()
                self._forget_soon(key, future)
        except Exception as error:  # of this side, whatever it was: it ends the run
            self._error = error
        finally:
            place.running.pop(block, None)
            self._freed.set()

    def _settle(self, block: Block, place: Place, result: asyncio.Task[Any]) -> None:
        """Do what follows from the end of an attempt."""
        if not result.done() or result.cancelled():
            self._lost(block, place, "its machine is gone")
        elif isinstance(error := result.exception(), FutureCancelled):
            self._lost(block, place, "its task was cancelled")
        elif error is not None:
            self._failed(block, place, str(error) or type(error).__name__)
        elif said := tasks.error_of(result.result()):
            self._failed(block, place, said)
        else:
            reason = self._job.store(block, place, result.result())
            self._strikes[place.name] = 0
            self._design.done(block)
            if reason:
                self.refuse(place.name, reason)

    async def _ask(self, block: Block, place: Place, key: str) -> tuple[str, Future[Any]]:
        """Return the task of a block, a new one or that of this key."""
        if key:
            return key, await self._client.get_dataset(key)
        key, data, share = self._job.work(block, place)
        future = self._submit(key, data, share, place)
        await self._client.publish_dataset(future, name=key)
        return key, future

    def _submit(self, key: str, data: Any, share: float, place: Place) -> Future[Any]:
        return self._client.submit(
            self._job.function,
            data,
            key=key,
            workers=[place.address],
            allow_other_workers=False,
            resources={"lab": share},
            pure=False,
        )

    def _forget_soon(self, key: str, future: Future[Any]) -> None:
        task = asyncio.ensure_future(self._forget(key, future))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, key: str, future: Future[Any]) -> None:
        """Let the scheduler and the worker forget a task; the worker ends one that still runs."""
        with suppress(Exception):  # the scheduler may be gone, and then there is nothing to forget
            async with asyncio.timeout(ANSWER):
                await self._client.unpublish_dataset(key)
                if not future.done():
                    await self._client.cancel([future])
        future.release()

    def _failed(self, block: Block, place: Place, reason: str) -> None:
        self._emit(Note(f"{block.name} on machine {place.name}: {reason}; it is measured again"))
        self._job.lost(block, place, reason)
        self._failures[block] = self._failures.get(block, 0) + 1
        self._strikes[place.name] = self._strikes.get(place.name, 0) + 1
        if self._failures[block] >= self._limits.failures:
            self._give_up(block, reason)
        else:
            self._design.give_back(block, place.name)
        if self._strikes[place.name] >= self._limits.strikes:
            self.refuse(
                place.name, f"{self._limits.strikes} blocks in a row failed there, the last one so: {reason}"
            )

    def _give_up(self, block: Block, reason: str) -> None:
        self._design.done(block)
        self._job.give_up(block, reason)

    async def _lose(self, place: Place) -> None:
        """Take back what a machine measured that the scheduler does not have any more."""
        self._emit(Note(f"machine {place.name} is gone"))
        if place.asked:
            place.asked.cancel()
        place.gone.set()
        await asyncio.gather(*place.running.values())

    def _lost(self, block: Block, place: Place, reason: str) -> None:
        self._losses[block] = self._losses.get(block, 0) + 1
        self._job.lost(block, place, reason)
        if self._losses[block] > self._limits.losses:
            self._give_up(block, f"its machine was lost {self._losses[block]} times")
        else:
            self._design.give_back(block, place.name, elsewhere=False)


async def result_of(client: Client, future: Future[Any]) -> Any:
    """Return the result of a task. When its worker is lost, this waits until it is cancelled.

    Each result is fetched by itself. To await the task is to fetch several at once, and in Dask no more than
    five times at a time: all would wait for one on a lost machine, and end when that one is cancelled.

    Raises:
        CancelledError: of `concurrent.futures`; the scheduler let the task go.
    """
    assert client.scheduler is not None
    while True:
        await future.exception()  # waits for its end only
        if future.status in ("error", "cancelled"):
            return await future
        if future.status == "finished":
            answer = await client.scheduler.gather(keys=[future.key])
            if answer["status"] == "OK":
                return answer["data"][future.key]
        await asyncio.sleep(AGAIN)


async def workers(client: Client) -> dict[str, str]:
    """Return the names of the scheduler's workers by their address.

    Raises:
        RunError: it does not answer.
    """
    try:
        async with asyncio.timeout(ANSWER):
            assert client.scheduler is not None
            found = await client.scheduler.identity()
    except (OSError, TimeoutError) as error:
        raise RunError(
            f"the scheduler does not answer any more ({error or 'no answer'}); all samples are kept: "
            "start it and its workers again, and go on with --resume"
        ) from error
    return {address: str(one["name"]) for address, one in found["workers"].items()}
