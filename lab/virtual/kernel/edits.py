"""Our additions to the kernel's source: files of our own, and edits of its files at anchors."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MachineError

ADDITIONS = Path(__file__).resolve().parent.parent / "additions"


@dataclass(frozen=True)
class Edit:
    """One change of one file: text beside an anchor, or instead of it (`instead`)."""

    file: str
    anchor: str
    before: str = ""
    after: str = ""
    instead: str | None = None

    def apply(self, text: str) -> str:
        """Return the file's text with the change.

        Raises:
            MachineError: the anchor is not there exactly once, so this source is not one we know.
        """
        if (count := text.count(self.anchor)) != 1:
            raise MachineError(
                f"the kernel's source cannot be changed: {self.file} has {self.anchor.strip()!r} "
                f"{count} times, not once; build from a pinned version (unset LAB_LINUX_SOURCE)"
            )
        kept = self.anchor if self.instead is None else self.instead
        return text.replace(self.anchor, self.before + kept + self.after)


def read_edits(additions: Path = ADDITIONS) -> list[Edit]:
    """Return the edits, in the order in which they are made."""
    return [Edit(**entry) for entry in tomllib.loads((additions / "edits.toml").read_text())["edit"]]


def own_files(additions: Path = ADDITIONS) -> dict[str, bytes]:
    """Return the files of our own, by their paths in the kernel's source."""
    own = additions / "files"
    return {str(f.relative_to(own)): f.read_bytes() for f in sorted(own.rglob("*.[ch]"))}


def apply(tree: Path, edits: Sequence[Edit], files: dict[str, bytes]) -> None:
    """Put the additions into an unpacked source.

    Raises:
        MachineError: a file that is changed lacks, or an anchor is not there exactly once.
    """
    changed: dict[str, str] = {}
    for edit in edits:
        path = tree / edit.file
        if not path.is_file():
            raise MachineError(f"the kernel's source cannot be changed: it has no file {edit.file}")
        changed[edit.file] = edit.apply(changed.get(edit.file) or path.read_text())
    for name, text in changed.items():
        (tree / name).write_text(text)
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
