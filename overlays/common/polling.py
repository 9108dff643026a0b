"""Waiting for a state by asking for it, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from lab.errors import OverlayError
from lab.util.patience import patient

#: Between two questions (s). A question enters the host, which costs more than this.
INTERVAL = 0.1


async def until(probe: Callable[[], Awaitable[str]], timeout: float, what: str) -> None:
    """Ask `probe` until it returns an empty text; its text is the reason why the state is not reached yet.

    Raises:
        OverlayError: it still had something to say after `timeout` (s).
    """
    timeout = patient(timeout)
    end = monotonic() + timeout
    while words := await probe():
        if monotonic() > end:
            raise OverlayError(f"{what} did not come within {timeout:g} s: {words[:600]}")
        await asyncio.sleep(INTERVAL)
