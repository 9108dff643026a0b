"""An overlay's daemons, watched beside its samples: none of them has to end for its death to be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from overlays.base import Overlay

T = TypeVar("T")


class Watch:
    """Watches from the first moment to the last, so that samples cost no command of their own for it."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._task: asyncio.Task[NoReturn] | None = None

    async def __aenter__(self) -> Watch:
        self._task = asyncio.ensure_future(self._overlay.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "it was entered"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def again(self) -> None:
        """Begin again, after daemons were restarted."""
        await self.__aexit__()
        await self.__aenter__()

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns; it is ended as soon as a daemon is gone.

        Raises:
            OverlayError: names the daemon, its host, and the end of its log.
        """
        assert self._task is not None, "it was entered"
        job = asyncio.ensure_future(work)
        try:
            await asyncio.wait((job, self._task), return_when=asyncio.FIRST_COMPLETED)
            return self._task.result() if self._task.done() else job.result()
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
