"""A worker's life: it joins the scheduler, measures, and joins again when the scheduler was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError, RunError
from lab.spread import machine
from lab.spread.worker import LabWorker, prepare

if TYPE_CHECKING:
    from distributed.security import Security

#: How long to wait before the scheduler is tried again (s), and how long one try may last.
AGAIN, JOIN = 5.0, 20.0


@dataclass(frozen=True)
class Seat:
    """The place of a worker: its scheduler, its name, and where its blocks lie."""

    scheduler: str
    name: str = ""
    security: Security | None = None
    folder: str = ""
    #: End with the scheduler, in place of waiting for it.
    once: bool = False

    @property
    def called(self) -> str:
        """The name of the machine in results."""
        return self.name or machine.default_name()


async def serve(seat: Seat, say: Callable[[str], None]) -> None:
    """Be a worker until cancelled, or until the scheduler ends where `once` is set.

    Before each time that it joins, it checks and cleans the machine: a lab may have been torn meanwhile.

    Raises:
        MachineError: this machine lacks something for labs, or cannot be cleaned.
        RunError: the scheduler cannot be joined, and `once` is set.
    """
    while True:
        await prepare()
        try:
            worker = await _join(seat)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            if isinstance(error, LabError):
                raise
            words = f"scheduler {seat.scheduler} cannot be joined: {_root_of(error)}"
            if seat.once:
                raise RunError(words) from error
            say(f"{words}; tried again in {AGAIN:g} s")
            await asyncio.sleep(AGAIN)
            continue
        say(f"machine {seat.called} waits for blocks of {seat.scheduler}")
        try:
            await worker.finished()  # type: ignore[no-untyped-call]
        finally:
            await asyncio.shield(worker.close(reason="lab-worker-ends"))
        if seat.once:
            return
        say(f"scheduler {seat.scheduler} is gone; its lab was removed")


async def _join(seat: Seat) -> LabWorker:
    worker = LabWorker(
        seat.scheduler,
        folder=seat.folder,
        checked=False,
        name=seat.called,
        security=seat.security,
        death_timeout=JOIN,
    )
    try:
        async with asyncio.timeout(JOIN):
            await worker
    except BaseException:
        await worker.close(reason="lab-worker-not-joined")
        raise
    return worker


def _root_of(error: BaseException) -> str:
    """Return the first cause of an error in words: Dask wraps it in others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
