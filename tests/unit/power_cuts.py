"""Power cuts: every state in which one could leave a folder that a program writes to.

While it runs, all that a program asks of the file system is followed: what it waited for (fsync) is on
the disk, of the rest anything may be. At each step the worst and the likely states are kept: names and data
as they were last waited for; names as they are now with the data of before, with half of it, and with all.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

#: Calls that change names; each is a moment before and after it.
NAMING = ("rename", "replace", "link", "unlink", "mkdir", "rmdir", "truncate", "ftruncate")
#: An inode, and how often its number was given before.
Inode = tuple[int, int]


@dataclass(frozen=True)
class Disk:
    """The names in each folder, and the data of each file, by inode."""

    names: dict[Inode, dict[str, Inode]] = field(default_factory=dict)
    data: dict[Inode, bytes] = field(default_factory=dict)
    folders: frozenset[Inode] = frozenset()


class PowerCuts:
    """The states of a folder, as a context: ``with PowerCuts(root) as cuts: ...; cuts.promise()``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._given: dict[int, int] = {}
        self._there: set[int] = set()
        self._names: dict[Inode, dict[str, Inode]] = {}
        self._data: dict[Inode, bytes] = {}
        self._states: list[tuple[dict[str, bytes | None], int]] = []
        self._promises, self._patches = 0, ExitStack()

    def __enter__(self) -> PowerCuts:
        self.sync_all()
        for name in NAMING:
            self._patches.enter_context(mock.patch.object(os, name, self._followed(getattr(os, name))))
        fsync = os.fsync

        def synced(handle: int | Any) -> None:
            self.moment()
            fsync(handle)
            self.synced(handle if isinstance(handle, int) else handle.fileno())

        self._patches.enter_context(mock.patch.object(os, "fsync", synced))
        return self

    def __exit__(self, *_: object) -> None:
        self.moment()
        self._patches.close()

    def promise(self) -> None:
        """Note that the program has said of one more thing that it is done."""
        self._promises += 1
        self.moment()

    def synced(self, handle: int) -> None:
        """Note that the disk has a file, or the names in a folder."""
        now, found = self._now(), os.fstat(handle)
        inode = self._inode(found.st_ino)
        if stat.S_ISDIR(found.st_mode):
            self._names[inode] = now.names.get(inode, {})
        else:
            self._data[inode] = Path(f"/proc/self/fd/{handle}").read_bytes()

    def sync_all(self) -> None:
        """Note that the disk has everything."""
        now = self._now()
        self._names, self._data = dict(now.names), dict(now.data)

    def moment(self) -> None:
        """Keep the states in which a power cut could leave the folder now."""
        now = self._now()
        half = {inode: _half(self._data.get(inode, b""), data) for inode, data in now.data.items()}
        for names, data in (
            (self._names, self._data),
            (now.names, self._data),
            (now.names, half),
            (now.names, now.data),
        ):
            tree = dict(self._tree(names, data, now.folders | self._names.keys()))
            if (tree, self._promises) not in self._states:
                self._states.append((tree, self._promises))

    def trees(self, folder: Path) -> Iterator[tuple[Path, int]]:
        """Yield each state as a folder of files, with the number of things that were promised by then."""
        for number, (tree, promises) in enumerate(self._states):
            place = folder / str(number)
            place.mkdir(parents=True)
            for path, data in tree.items():
                if data is None:
                    (place / path).mkdir()
                else:
                    (place / path).write_bytes(data)
            yield place, promises
            shutil.rmtree(place)

    def _followed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def followed(*words: Any, **options: Any) -> Any:
            self.moment()
            try:
                return call(*words, **options)
            finally:
                self.moment()

        return followed

    def _inode(self, number: int) -> Inode:
        return number, self._given.get(number, 0)

    def _now(self) -> Disk:
        """Read the folder; a number that is gone is another inode when it comes again."""
        found: dict[int, Path] = {self.root.stat().st_ino: self.root}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                found[(Path(folder) / name).lstat().st_ino] = Path(folder) / name
        for number in self._there - found.keys():
            self._given[number] = self._given.get(number, 0) + 1
        self._there = set(found)
        disk: dict[Inode, dict[str, Inode]] = {}
        data: dict[Inode, bytes] = {}
        for number, path in found.items():
            if path.is_dir():
                disk[self._inode(number)] = {
                    one.name: self._inode(one.lstat().st_ino) for one in path.iterdir()
                }
            else:
                data[self._inode(number)] = path.read_bytes()
        return Disk(disk, data, frozenset(disk))

    def _tree(
        self,
        names: dict[Inode, dict[str, Inode]],
        data: dict[Inode, bytes],
        folders: frozenset[Inode],
        inode: Inode | None = None,
        at: str = "",
    ) -> Iterator[tuple[str, bytes | None]]:
        """Yield the paths below an inode, folders before what is in them; None is a folder."""
        for name, child in names.get(inode or self._inode(self.root.stat().st_ino), {}).items():
            path = f"{at}{name}"
            if child in folders:
                yield path, None
                yield from self._tree(names, data, folders, child, f"{path}/")
            else:
                yield path, data.get(child, b"")


def _half(before: bytes, now: bytes) -> bytes:
    """Return what a file may have while the disk is at work on it: of what was appended, a half."""
    kept = len(before) if now.startswith(before) else 0
    return now[: kept + (len(now) - kept) // 2]
