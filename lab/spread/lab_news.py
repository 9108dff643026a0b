"""The lab of a worker, for those who look at the run: what its recording has that is new, every few seconds.

The worker reads the recording of the block's own run, which grows while that is measured. Of each thing it
sends the last state only, so a message is never larger than the state of a lab.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from lab.app import in_box
from lab.errors import RunError
from lab.feed.hub import Item, Pending
from lab.feed.objects import Plain, adapter
from lab.feed.recording import NAME, RecordingReader

#: Kinds of objects that are sent; events and samples come by themselves.
KINDS = ("lab", "links", "host", "overlay")
#: Seconds between two messages; and what one of them may hold (bytes).
EVERY, LARGEST = 5.0, 16 << 20


class LabNews:
    """Reads the lab of a block from the recording of that, while it grows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader: RecordingReader | None = None

    def more(self) -> bytes:
        """Return what is new since the last call, packed; b"" for nothing.

        Raises:
            RunError: the recording is none.
        """
        if self._reader is None:
            found = next((self._folder / in_box.RUNS).glob(f"*/{NAME}"), None)
            if found is None:
                return b""
            self._reader = RecordingReader(found.parent)
        last = Pending()
        for plain in self._reader.read():
            if plain["kind"] in KINDS:
                last.add(Item(plain))
        lines = [item.text for item in last.take()]
        return zlib.compress("\n".join(lines).encode()) if lines else b""


class MachineLabs:
    """The labs of all workers, each by the name of its machine; `show` is told of what is new in them."""

    def __init__(self, show: Callable[[Sequence[Plain]], None]) -> None:
        self._show, self._check = show, adapter()
        self._labs: dict[str, Plain] = {}

    def take(self, machine: str, data: bytes) -> None:
        """Show what a machine's `LabNews` packed. Their clocks may differ: the time is that of arrival.

        Raises:
            RunError: it is nothing of that kind.
        """
        try:
            text = zlib.decompressobj().decompress(data, LARGEST)
            found = [json.loads(line) for line in text.splitlines()]
            for plain in found:
                self._check.validate_python(plain)
        except (zlib.error, ValueError, ValidationError) as error:
            raise RunError(f"what machine {machine} says of its lab cannot be read: {error}") from None
        here = [
            {**plain, "lab": machine, "t": round(time.time(), 3)} for plain in found if plain["kind"] in KINDS
        ]
        for plain in here:
            if plain["kind"] == "lab":
                self._labs[machine] = plain
        self._show(here)

    def gone(self, machine: str) -> None:
        """Show that the lab of a machine is gone, where there was one."""
        if lab := self._labs.pop(machine, None):
            self._show([{**lab, "state": "gone", "t": round(time.time(), 3)}])
