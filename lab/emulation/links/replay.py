"""Replay of a schedule, or of a recorded trace, on the links of a lab while it is measured on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from lab.emulation.links.control import Links
from lab.errors import LabError
from lab.events import Emit, Note, silent
from lab.topology.schedule import Change


@dataclass
class BegunChange:
    """A change that was begun; times by the monotonic clock (s), `ended` infinite while it goes on."""

    change: Change
    wall: str
    began: float
    ended: float = float("inf")
    error: str = ""


class Replay:
    """Carries changes out in their time: ``async with Replay(links, changes) as replay: ...``.

    It begins when it is entered; when it is left, links that it changed are as they were at first.

    Args:
        links: of the lab.
        changes: by time.
        emit: told of every change.
    """

    def __init__(self, links: Links, changes: Sequence[Change], emit: Emit = silent) -> None:
        self._links, self._changes, self._emit = links, changes, emit
        self.begun: list[BegunChange] = []
        self._start = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Replay:
        self._start = monotonic()
        self._task = asyncio.ensure_future(self.play())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._task is not None, "it was entered"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        # what ended the work is not hidden by links that cannot be set back because of it
        with suppress(*([LabError] if error else [])):
            for link in dict.fromkeys(one.change.link for one in self.begun):
                await self._links.reset(link)

    async def play(self) -> None:
        """Carry all changes out; one that fails ends it, and is kept in `begun`."""
        self._start = self._start or monotonic()
        for change in self._changes:
            # a late change does not make those after it late
            await asyncio.sleep(max(0.0, self._start + change.at - monotonic()))
            if not await self._do(change):
                return

    async def _do(self, change: Change) -> bool:
        begun = BegunChange(change, datetime.now(UTC).isoformat(timespec="milliseconds"), monotonic())
        self.begun.append(begun)
        try:
            await self._links.carry_out(change)
        except LabError as error:
            begun.error = str(error)
        begun.ended = monotonic()
        self._emit(Note(f"{change.at:g} s: {change}{f' failed: {begun.error}' if begun.error else ''}"))
        return not begun.error

    def since(self, moment: float) -> list[str]:
        """Return what changed since a moment (monotonic clock, s), in words."""
        return [str(one.change) for one in self.begun if one.ended >= moment]

    @property
    def trouble(self) -> str:
        """The reason why the schedule ended before its time; empty when it did not."""
        failed = next((one for one in self.begun if one.error), None)
        return f"the schedule of links ended: {failed.change}: {failed.error}" if failed else ""

    def record(self) -> list[dict[str, Any]]:
        """Return all that happened, as it is stored with a run."""
        return [
            {
                "asked_s": one.change.at,
                "began_s": round(one.began - self._start, 4),
                "took_s": round(one.ended - one.began, 4) if one.ended != float("inf") else None,
                "at": one.wall,
                "what": str(one.change),
                "error": one.error,
            }
            for one in self.begun
        ]
