"""The messages between the client of a spread run and its workers, as data that both sides check."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.app.block_order import BlockOrder, Name
from lab.errors import RunError
from lab.runs.sample import Sample

M = TypeVar("M", bound=BaseModel)
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9=_.,:#-]{1,300}$")]
#: An archive of a block holds at most so much once it is unpacked, and so many files (bytes).
MOST_BYTES, MOST_FILES = 2 * 2**30, 200_000


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerMachine(_Message):
    """A machine as it describes itself; `missing` says what a lab lacks on it."""

    name: Word
    lab: str
    kernel: str
    arch: str
    cpus: Annotated[int, Field(ge=1)]
    cpu: str
    memory_mib: Annotated[int, Field(ge=1)]
    sysctls: dict[str, str] = {}
    #: Versions of packages and programs, and the images by digest: the same on all machines of a run.
    versions: dict[str, str] = {}
    #: The kernel of virtual time, and its description; empty where there is none.
    box: str = ""
    box_kernel: str = ""
    missing: list[str] = []
    #: What is known about the rate that it carries, in words.
    capacity: str = ""


class Inquiry(_Message):
    """The question to a machine if it can measure the blocks of a run."""

    order: BlockOrder
    overlays: list[Name]


class Work(_Message):
    """One block for a worker: `topic` is where its events go, and `key` tells this attempt from others."""

    key: Word
    topic: Word
    order: BlockOrder
    #: The client's version of the lab: the worker's may have changed since it was asked.
    lab: str

    def share(self, cpus: int) -> float:
        """Return how much of a machine the block takes: all of it; in virtual time, one of its processors."""
        return 1.0 if self.order.clock == "real" else 0.999 / cpus


class Done(_Message):
    """The end of a block: `folder` is its folder as an archive."""

    key: Word
    seconds: dict[str, float]
    last: str
    folder: bytes


def read(kind: type[M], data: str | bytes | Mapping[str, Any], what: str) -> M:
    """Return a message of this kind.

    Raises:
        RunError: it is none; names the field.
    """
    try:
        if isinstance(data, (str, bytes)):
            return kind.model_validate_json(data)
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise RunError(f"{what} cannot be read: {where}: {first['msg']}") from None


def pack_sample(line: str, raw: str) -> bytes:
    """Pack a sample and its raw output for the way to the client."""
    return zlib.compress(json.dumps({"sample": line, "raw": raw}).encode())


def unpack_sample(data: bytes) -> tuple[Sample, str]:
    """Return the sample and the raw output that `pack_sample` packed.

    Raises:
        RunError: it is no such pack.
    """
    try:
        found = json.loads(zlib.decompressobj().decompress(data, 64 * 2**20))
        return Sample.model_validate_json(found["sample"]), str(found["raw"])
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise RunError(f"a sample from a worker cannot be read: {error}") from None


def pack_folder(folder: Path) -> bytes:
    """Pack a folder's files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, path.relative_to(folder))
    return packed.getvalue()


def unpack_folder(data: bytes, folder: Path) -> None:
    """Unpack what `pack_folder` packed into a folder; names that lead out of it lose that part.

    Raises:
        RunError: it is no such pack, or holds more than a block does.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_BYTES:
                raise RunError("the folder of a block from a worker is larger than a block can be")
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise RunError(f"the folder of a block from a worker cannot be read: {error}") from None
