"""Packs: whole runs in one archive, an RO-Crate in a ZIP file, whose every file has its checksum.

A pack may come from anybody: all of it is checked before anything in it is believed. The same run gives the
same bytes, so two packs can be compared by their checksums. docs/reference/run-folder.md has the format.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import FileError, LabError, PackError
from lab.runs.run_folder import MANIFEST, SAMPLES, StoredRun, read
from lab.util import documents
from lab.util.documents import MIB, Bounds, decoded, guarded, printable, shown

VERSION = 1
#: The profile of RO-Crate that a pack conforms to, without its version.
PROFILE = "urn:overlay-lab:pack:"
METADATA, RUNS, CLAIMS = "ro-crate-metadata.json", "runs", "claims.json"
#: A sample has some 300 bytes in it: a hundred thousand of them.
METADATA_BOUNDS = Bounds("description of a pack", size=64 * MIB, nested=True)
CLAIMS_BOUNDS = Bounds("file of answers", size=16 * MIB, nested=True)
#: Bytes of one file in a pack, by the end of its name; of all of them; and of the list of their names.
MOST_BYTES, OTHERS = {SAMPLES: 400 * MIB, METADATA: METADATA_BOUNDS.size}, 64 * MIB
MOST_IN_ALL, MOST_NAMES = 8 << 30, 64 * MIB
#: A part of a name in a pack; what a terminal or a file system takes for something else is not in it.
PART = re.compile(r"[A-Za-z0-9=_.,+-]{1,200}")
#: What zipfile raises on bytes that are no archive, or on one in a way that it does not know.
NO_ZIP = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
#: The end of a ZIP file's list of names, by its mark: the place of the list's length, and of how many bytes.
ENDS = {b"PK\x05\x06": (12, 4), b"PK\x06\x06": (40, 8)}
#: Bytes at the end of an archive that these marks lie in: a comment of 64 KiB may follow.
TAIL = 68 << 10


class PackedFile(BaseModel):
    """A file as the description of a pack has it; its name is quoted there as in an address."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(alias="@id")]
    size: Annotated[str, Field(alias="contentSize", pattern=r"^\d{1,12}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PackedAnswer(BaseModel):
    """A claim's answer when its run was packed."""

    model_config = ConfigDict(extra="ignore")

    id: str
    text: str
    source: str
    verdict: str
    evidence: str


class PackedAnswers(BaseModel):
    """The answers of one run."""

    model_config = ConfigDict(extra="ignore")

    answers: list[PackedAnswer] = []


@dataclass(frozen=True)
class Pack:
    """An archive whose checksums are right: its runs, and the answers to claims in it, by run id.

    `id` is the checksum of its description, which has those of all its files.
    """

    source: Path
    id: str
    files: int
    runs: Sequence[StoredRun]
    answers: Mapping[str, Sequence[PackedAnswer]]


def write(
    file: Path,
    members: Iterable[tuple[str, bytes]],
    describe: Callable[[Mapping[str, Mapping[str, str]]], dict[str, Any]],
    *,
    force: bool = False,
) -> None:
    """Write an archive: the same members give the same bytes.

    Args:
        file: the archive.
        members: names and contents, in the order in which they are written.
        describe: makes the description of the size and the SHA-256 (`PackedFile`) of each, by name.
        force: overwrite what is there.

    Raises:
        FileError: the archive exists, or the disk refuses.
    """
    if os.path.lexists(file) and not force:
        raise FileError(f"{file} exists; --force overwrites")
    found: dict[str, Mapping[str, str]] = {}
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as beside:
            made = Path(beside) / "pack"
            with ZipFile(made, "w") as archive:
                for name, data in members:
                    found[name] = _facts(data)
                    _add(archive, name, data)
                words = json.dumps(describe(found), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
                _add(archive, METADATA, words.encode())
            made.replace(file)
    except OSError as error:
        raise FileError(f"{file} cannot be written: {error.strerror}") from error


def _facts(data: bytes) -> dict[str, str]:
    return {"contentSize": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}


def _add(archive: ZipFile, name: str, data: bytes) -> None:
    info = ZipInfo(name)  # dated 1980
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, data, ZIP_DEFLATED, 9)


def is_pack(path: Path) -> bool:
    """Return True for what can only be a pack: a run is a folder."""
    return path.is_file()


@contextmanager
def runs_in(path: Path) -> Iterator[Sequence[StoredRun]]:
    """Give the run of a folder, or those of a pack, whose files go at the end.

    Raises:
        RunError: it is neither.
    """
    if is_pack(path):
        with opened(path) as pack:
            yield pack.runs
    else:
        yield [read(path)]


@contextmanager
def opened(file: Path) -> Iterator[Pack]:
    """Check a pack, and give its runs, unpacked into a folder that goes at the end.

    Raises:
        PackError: it is no pack, or not whole, or has what no pack has; names the first fault.
    """
    with tempfile.TemporaryDirectory(prefix="lab-pack-") as folder:
        with guarded(printable(file), PackError):
            pack = _unpacked(file, Path(folder))
        yield pack


def _unpacked(file: Path, folder: Path) -> Pack:
    refuse = partial(_refused, file)
    try:
        with documents.opened(file) as handle, open(handle, "rb", closefd=False) as data:
            _refuse_long_list(data, refuse)
            with ZipFile(data) as archive:
                members = _members(archive, refuse)
                text = decoded(archive.read(members[METADATA]), f"{file}: {METADATA}", PackError)
                described = _described(text, refuse)
                _refuse_others(members, described, refuse)
                for name, packed in described.items():
                    _unpack(archive, members[name], packed, folder, refuse)
    except LabError:
        raise
    except NO_ZIP as error:
        raise refuse(f"it is no whole ZIP file: {error}") from None
    runs = [read(place.parent) for place in sorted(folder.glob(f"{RUNS}/*/{MANIFEST}"))]
    if not runs:
        raise refuse("it has no run")
    answers = {run.manifest.run: _answers(run.path / CLAIMS, folder) for run in runs}
    return Pack(file, hashlib.sha256(text.encode()).hexdigest(), len(described), runs, answers)


def _refused(file: Path, words: str) -> PackError:
    return PackError(f"{printable(file)} is no pack: {printable(words)}")


def _refuse_long_list(data: Any, refuse: documents.Refuse) -> None:
    """Refuse a list of names that would take gigabytes of memory: zipfile reads all of it at once."""
    data.seek(0, os.SEEK_END)
    data.seek(max(0, data.tell() - TAIL))
    tail = data.read()
    for mark, (offset, size) in ENDS.items():
        for found in re.finditer(re.escape(mark), tail):
            at = found.start() + offset
            length = int.from_bytes(tail[at : at + size], "little")
            if length > MOST_NAMES and length != 0xFFFFFFFF:
                raise refuse(f"the list of its files has {length} bytes; {MOST_NAMES // MIB} MiB at most")
    data.seek(0)


def _members(archive: ZipFile, refuse: documents.Refuse) -> dict[str, ZipInfo]:
    """Return the files of an archive by name.

    Raises:
        LabError: one of them could do harm; names it.
    """
    found: dict[str, ZipInfo] = {}
    for info in archive.infolist():
        if fault := _fault(info) or ("it is there twice" if info.filename in found else ""):
            raise refuse(f"{shown(info.filename)}: {fault}")
        found[info.filename] = info
    if sum(info.file_size for info in found.values()) > MOST_IN_ALL:
        raise refuse(f"its files have more than {MOST_IN_ALL >> 30} GiB in all")
    if METADATA not in found:
        raise refuse(f"it has no {METADATA}")
    return found


def _fault(info: ZipInfo) -> str:
    """Return the reason why a pack has no such file; "" for one that it may have."""
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name:
        return "its name leads out of the pack"
    if len(parts) > 12 or not all(PART.fullmatch(part) and part != "." for part in parts):
        return "its name has what no name in a pack has"
    if kind not in (0, stat.S_IFREG):
        return "it is a link" if kind == stat.S_IFLNK else "it is no regular file"
    most = MOST_BYTES.get(parts[-1], OTHERS)
    if info.file_size > most:
        return f"it has {info.file_size} bytes; {most // MIB} MiB at most"
    if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "it is encrypted, or compressed in another way than a pack's files"
    return ""


def _described(text: str, refuse: documents.Refuse) -> dict[str, PackedFile]:
    """Return the files that a description has, by name, after a look at the version of the format."""
    graph = documents.parsed(text, METADATA, _graph, refuse, METADATA_BOUNDS)
    root = next((entity for entity in graph if entity.get("@id") == "./"), {})
    profiles = root.get("conformsTo")
    names = [str(one.get("@id")) for one in _list(profiles) if isinstance(one, dict)]
    versions = [name.removeprefix(PROFILE) for name in names if name.startswith(PROFILE)]
    if str(VERSION) not in versions:
        said = f"version {shown(versions[0])}" if versions else "no version of a pack"
        raise refuse(
            f"it has {said}, this lab reads version {VERSION}; read it with the version that wrote it"
        )
    found = {}
    for entity in graph:
        if "File" in _list(entity.get("@type")):
            try:
                packed = PackedFile.model_validate(entity)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise refuse(f"{METADATA}: {shown(entity.get('@id'))}: {where}: {first['msg']}") from None
            found[unquote(packed.name)] = packed
    return found


def _graph(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PackError(f"{METADATA} is no JSON: {error}") from None
    graph = data.get("@graph") if isinstance(data, dict) else None
    if not isinstance(graph, list) or not all(isinstance(entity, dict) for entity in graph):
        raise PackError(f"{METADATA} has no list of entities (@graph)")
    return graph


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _refuse_others(
    members: Mapping[str, ZipInfo], described: Mapping[str, PackedFile], refuse: documents.Refuse
) -> None:
    """Refuse a file that the description does not have, or a description of one that is not there."""
    if others := sorted(members.keys() - described.keys() - {METADATA}):
        raise refuse(f"{others[0]} is in it, and not in its description")
    if missing := sorted(described.keys() - members.keys()):
        raise refuse(f"{shown(missing[0])} is in its description, and not in it")


def _unpack(
    archive: ZipFile, info: ZipInfo, packed: PackedFile, folder: Path, refuse: documents.Refuse
) -> None:
    """Write one file below the folder, and hold it against its checksum."""
    place, sums = folder / info.filename, hashlib.sha256()
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, open(place, "xb") as target:
        while piece := source.read(MIB):
            sums.update(piece)
            target.write(piece)
    if place.stat().st_size != int(packed.size) or sums.hexdigest() != packed.sha256:
        raise refuse(f"{info.filename} is not what was packed: its checksum differs")


def _answers(file: Path, folder: Path) -> Sequence[PackedAnswer]:
    if not file.exists():
        return ()
    where = f"{file.parent.name}/{file.name}"
    data = documents.content(file, PackError, CLAIMS_BOUNDS, beneath=folder)

    def parse(text: str) -> Sequence[PackedAnswer]:
        try:
            return PackedAnswers.model_validate_json(text).answers
        except ValidationError as error:
            raise PackError(f"{where} has no answers: {error.errors()[0]['msg']}") from None

    return documents.parsed(decoded(data, where, PackError), where, parse, PackError, CLAIMS_BOUNDS)
