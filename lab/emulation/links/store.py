"""What is asked of the links of a lab, in files that any process can take up; and a lock on them."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from lab.emulation.links.link import LinkState
from lab.errors import UnknownName

#: Seconds after which it is seen whether another one has done with the links.
LOOK_AGAIN = 0.005


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class LinkStore:
    """What is asked of each link of a lab, kept in files that any process can take up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def lines(self) -> dict[str, LinkState]:
        """Every link by its name, read anew: another process may have changed one."""
        return self._read("lines.json")

    @property
    def first(self) -> dict[str, LinkState]:
        """Every link as it was when it was made."""
        return self._read("first.json")

    def find(self, link: str, *, first: bool = False) -> LinkState:
        """Raises UnknownName when there is no such link."""
        lines = self.first if first else self.lines
        if link not in lines:
            raise UnknownName("link", link, lines)
        return lines[link]

    def begin(self, lines: Mapping[str, LinkState]) -> None:
        """Replace all lines at once; those that are new are as they were made."""
        self._write("first.json", {**lines, **self.first})
        self.keep(lines)

    def keep(self, lines: Mapping[str, LinkState]) -> None:
        """Replace all lines at once; of those that are gone nothing is remembered."""
        self._write("lines.json", lines)
        first = self.first
        if first.keys() - lines.keys():
            self._write("first.json", {name: line for name, line in first.items() if name in lines})

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While no other process, nor another task of this one, changes a link."""
        with (self._folder / "lines.lock").open("w") as lock:
            # to wait in threads would use up those that the one needs who holds the lock
            while not _locked(lock.fileno()):
                await asyncio.sleep(LOOK_AGAIN)
            yield

    def _read(self, name: str) -> dict[str, LinkState]:
        try:
            words = json.loads((self._folder / name).read_text())
        except FileNotFoundError:
            return {}
        return {word["name"]: LinkState.from_json(word) for word in words}

    def _write(self, name: str, lines: Mapping[str, LinkState]) -> None:
        temporary = (self._folder / name).with_suffix(".tmp")
        temporary.write_text(json.dumps([line.as_json() for line in lines.values()]))
        temporary.rename(self._folder / name)
