"""Waiting for a state by asking for it, with a deadline; and work that ends with its first failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

from lab.errors import OverlayError

T = TypeVar("T")
R = TypeVar("R")

#: Between two questions (s). A question enters the host, which costs more than this.
INTERVAL = 0.1


async def until(probe: Callable[[], Awaitable[str]], timeout: float, what: str) -> None:
    """Ask `probe` until it has nothing to say; its words tell why the state is not there yet.

    Raises:
        OverlayError: it still had something to say after `timeout` (s).
    """
    end = monotonic() + timeout
    while words := await probe():
        if monotonic() > end:
            raise OverlayError(f"{what} did not come within {timeout:g} s: {words[:600]}")
        await asyncio.sleep(INTERVAL)


async def each(work: Callable[[T], Awaitable[R]], things: Iterable[T]) -> list[R]:
    """Do the work on all things side by side; the first failure ends the rest and is raised as it is.

    For what may take minutes, as an installation, or the wait for a state that will never come once a
    daemon has died. Where every part comes to its own end soon, or has to, see `lab.util.concurrency`.
    """
    tasks = [asyncio.ensure_future(work(thing)) for thing in things]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
