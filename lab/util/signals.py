"""Commands that build things, told to end: whatever they have built is taken away first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: A service manager's word, a lost terminal's, and Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


async def cancel_on_signal(work: Coroutine[Any, Any, T]) -> T:
    """The work's result; one of `SIGNALS` cancels it, and this returns when it has cleaned up.

    Raises:
        CancelledError: a signal came.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    return await task
