"""Signals that end a command in order: it first removes everything that it has built."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Sent by a service manager, by a terminal that was lost, and by Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


async def cancel_on_signal(work: Coroutine[Any, Any, T]) -> T:
    """Return the work's result; one of `SIGNALS` cancels it, and this returns when it has cleaned up.

    Raises:
        CancelledError: a signal came.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    return await task
