"""Sources of the feed: what yields objects once an interval, by a thread, for a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lab.errors import LabError
from lab.feed.hub import Hub
from lab.feed.objects import Plain
from lab.feed.watch import stamped


class FeedSource(Protocol):
    """Something that has news now and then."""

    def look(self) -> Sequence[Plain]:
        """Return the objects that are new since the last look."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


async def pump(sources: Sequence[FeedSource], hub: Hub, interval: float) -> None:
    """Look at all sources once an interval (s), and publish their news, until cancelled.

    An error of a source is an event of the feed; the source is asked again. While nobody reads, no source is
    looked at.
    """
    said: dict[int, str] = {}
    loop = asyncio.get_running_loop()
    due = loop.time()
    try:
        while True:
            await hub.readers()
            for number, source in enumerate(sources):
                hub.publish(await asyncio.to_thread(_looked, source, number, said))
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())
    finally:
        for source in sources:
            source.close()


def _looked(source: FeedSource, number: int, said: dict[int, str]) -> Sequence[Plain]:
    try:
        found = source.look()
    except (LabError, OSError) as error:
        if said.get(number) == str(error):
            return []
        said[number] = str(error)
        return [stamped("event", level="error", text=str(error))]
    said.pop(number, None)
    return found
