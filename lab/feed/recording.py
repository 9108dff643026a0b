"""The recording of a run: the objects of the feed, one a line, compressed; it can be read while it grows.

A kill loses the last interval at most: what was flushed can be read without the end of the file. A resumed
run packs all of it again, and goes on.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.errors import RunError
from lab.feed.hub import dumps
from lab.feed.objects import Plain, loads

#: The file in a run's folder.
NAME = "recording.jsonl.gz"
#: Bytes of a line, and of a whole recording, above which a file is no recording of ours.
LONGEST, LARGEST = 16 << 20, 1 << 30
_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 1 << 20


class RecordingFile:
    """Writes a recording, after all that is there. Others can read it after `flush`.

    Raises:
        OSError: the file cannot be written.
        RunError: there is a file of this name that is no recording.
    """

    def __init__(self, folder: Path) -> None:
        before = list(RecordingReader(folder).lines())
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{NAME}.", delete=False) as made:
            Path(made.name).chmod(0o644)
            for line in before:
                made.write(self._packer.compress(line + b"\n"))
            Path(made.name).replace(folder / NAME)
        self._file = open(folder / NAME, "ab", buffering=0)  # noqa: SIM115  held until close()

    def write(self, objects: Iterable[Plain]) -> None:
        """Add objects."""
        for plain in objects:
            self._put(self._packer.compress(f"{dumps(plain)}\n".encode()))

    def flush(self) -> None:
        """Let readers have all that was added."""
        self._put(self._packer.flush(zlib.Z_SYNC_FLUSH))

    def close(self) -> None:
        """End this part of the recording."""
        self._put(self._packer.flush(zlib.Z_FINISH))
        self._file.close()

    def _put(self, data: bytes) -> None:
        if data:
            self._file.write(data)


class RecordingReader:
    """Reads a recording that may still be written: `read` yields the objects that are new.

    Raises:
        RunError: the file is no recording.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        if self.path.is_symlink():
            raise RunError(f"{self.path} is a link, which the lab does not follow; put a file there")
        self._at, self._size = 0, 0
        self._unpacker = zlib.decompressobj(_GZIP)
        self._rest = b""

    def read(self) -> Iterator[Plain]:
        """Yield the objects of all whole lines that were added since the last time."""
        for line in self.lines():
            try:
                yield loads(line)
            except ValueError as error:
                raise self._no_recording(str(error)) from error

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that were added since the last time."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._at)
                while data := file.read(_PIECE):
                    self._at += len(data)
                    yield from self._unpacked(data)
        except FileNotFoundError:
            return

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        while data:
            try:
                text = self._unpacker.decompress(data, _PIECE)
            except zlib.error as error:
                raise self._no_recording(str(error)) from error
            data = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                data = b""
            self._size += len(text)
            *whole, self._rest = (self._rest + text).split(b"\n")
            if self._size > LARGEST or len(self._rest) > LONGEST:
                raise self._no_recording("it is too large")
            yield from whole

    def _no_recording(self, why: str) -> RunError:
        return RunError(f"{self.path} is no recording of a run: {why}")
