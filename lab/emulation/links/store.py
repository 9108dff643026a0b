"""The store of the requested states of a lab's links: files that any process can read, and a lock on them."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from lab.emulation.links.link import LinkState
from lab.errors import UnknownName
from lab.util import files

#: Seconds between two tries to get the lock.
RETRY_SECONDS = 0.005
CURRENT, INITIAL = "lines.json", "first.json"


class LinkStore:
    """The states that are asked of a lab's links, in files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def states(self) -> dict[str, LinkState]:
        """Every link by its name, read again: another process may have changed one."""
        return self._read(CURRENT)

    @property
    def initial(self) -> dict[str, LinkState]:
        """Every link as it was when it was made."""
        return self._read(INITIAL)

    def find(self, link: str, *, initial: bool = False) -> LinkState:
        """Return one link. Raises UnknownName when there is none of this name."""
        states = self.initial if initial else self.states
        if link not in states:
            raise UnknownName("link", link, states)
        return states[link]

    def save(self, states: Mapping[str, LinkState]) -> None:
        """Replace all states; new links are as they were made, those that are gone are forgotten."""
        initial = self.initial
        if states.keys() - initial.keys():
            self._write(INITIAL, {**states, **initial})
        self._write(CURRENT, states)
        if initial.keys() - states.keys():
            self._write(INITIAL, {name: initial.get(name, state) for name, state in states.items()})

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock: no other process, nor another task of this one, changes a link during this."""
        with (self.folder / "lines.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    # to wait in threads would use up those that the one needs who holds the lock
                    await asyncio.sleep(RETRY_SECONDS)
            yield

    def _read(self, name: str) -> dict[str, LinkState]:
        try:
            rows = json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            return {}
        return {row["name"]: LinkState.from_json(row) for row in rows}

    def _write(self, name: str, states: Mapping[str, LinkState]) -> None:
        files.replace(self.folder / name, json.dumps([asdict(state) for state in states.values()]))
