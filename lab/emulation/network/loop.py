"""An event loop in a thread of its own: Mininet's calls wait, the engine's are coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
#: How long an interrupted step may take to come to an end (s).
PATIENCE = 30.0


class Loop:
    """Runs the engine's coroutines for callers that wait."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end; a caller that is interrupted (Ctrl-C) leaves nothing running behind."""
        loop = self.running()
        result: Future[T] = Future()
        tasks: list[asyncio.Task[None]] = []

        async def whole() -> None:
            try:
                result.set_result(await work)
            except BaseException as error:
                result.set_exception(error)

        loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(whole())))
        try:
            return result.result()
        except BaseException:
            if not result.done():
                loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                wait([result], timeout=PATIENCE)
            raise

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop, started when it is first needed."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True, name="lab").start()
        return self._loop

    def stop(self) -> None:
        """End the thread; a later call starts another."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
