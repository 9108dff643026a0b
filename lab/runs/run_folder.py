"""A run's folder: written so that a kill at any instant loses no finished sample.

A sample's raw output is on disk before its line in ``samples.jsonl`` is, and the line before
the next sample starts. A line without its end is what a kill left of a write: resuming cuts
it off and says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from lab.errors import RunError
from lab.runs.manifest import SCHEMA as MANIFEST_SCHEMA
from lab.runs.manifest import Manifest, RunSession
from lab.runs.sample import SCHEMA, Sample
from lab.util import invoker
from lab.util.documents import MIB, Bounds, content, decoded, guarded, shown
from lab.util.files import make_folder, replace, sync_folder

MANIFEST, SAMPLES, RAW, LOCK, LOG = "manifest.json", "samples.jsonl", "raw", "lock", "log"
#: The folder of what commands on real hosts printed, a file per host.
HOSTS = "hosts"
#: The file with the settings of the links, as the kernel reported them before the first sample.
READ_BACK = "read-back.json"
MANIFEST_SIZE = Bounds("manifest", size=16 * MIB)
#: A sample takes some 4 kB: a hundred thousand of them.
SAMPLES_SIZE = Bounds("file of samples", size=400 * MIB)


@dataclass(frozen=True)
class StoredRun:
    """A run as its folder holds it, for readers; `faults` name the unreadable parts."""

    path: Path
    manifest: Manifest
    samples: Sequence[Sample]
    faults: Sequence[str] = ()


def read(path: Path) -> StoredRun:
    """Read a folder without touching it: a run under way, a finished or an interrupted one.

    Raises:
        RunError: no run folder, or one of another schema.
    """
    with guarded(str(path), RunError):
        manifest = _manifest(path)
        samples, faults, _ = _samples(path)
    return StoredRun(path, manifest, samples, faults)


def try_to_write(results: Path) -> None:
    """See to it that run folders can be made here, before a lab is built for one.

    Raises:
        RunError: they cannot.
    """
    try:
        make_folder(results)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise RunError(f"no run folder can be made in {results}: {error.strerror}; see --results") from error


@dataclass
class RunFolder:
    """A folder that this process, and only it, may write; close it or use it as a context."""

    path: Path
    manifest: Manifest
    samples: list[Sample] = field(default_factory=list)
    #: What was cut off on opening, for the user to read; empty as a rule.
    repaired: str = ""
    _lock: IO[str] | None = None
    _file: IO[bytes] | None = None

    @classmethod
    def create(cls, results: Path, manifest: Manifest) -> RunFolder:
        """Make ``results/<experiment>-<UTC time>-<id>`` with its manifest.

        Raises:
            RunError: the folder cannot be made, or is there.
        """
        stamp = re.sub(r"[-:]|\.\d+|\+.*", "", manifest.created)
        path = results / f"{manifest.experiment}-{stamp.rstrip('Z')}Z-{manifest.run}"
        try:
            make_folder(results)
            path.mkdir()
            invoker.give_folder(path)
            make_folder(path / RAW)
            sync_folder(results)
        except OSError as error:
            raise RunError(f"the run folder {path} cannot be made: {error.strerror}") from error
        folder = cls(path, manifest)
        folder._open()
        folder.save()
        return folder

    @classmethod
    def resume(cls, path: Path, session: RunSession | None = None) -> RunFolder:
        """Open a folder to go on with it.

        Raises:
            RunError: no run folder, one of another schema, one that another command writes
                at this moment, or one with an unreadable line that is not the last.
        """
        with guarded(str(path), RunError):
            folder = cls(path, _manifest(path))
            _refuse_links(path)
        folder._open()
        folder.samples, faults, whole = _samples(path)
        if faults and not folder._cut_off(faults, whole):
            folder.close()
            raise RunError(f"{path / SAMPLES} cannot be resumed: {faults[0]}; mend or remove that line first")
        if session:
            folder.manifest.sessions.append(session)
            folder.save()
        return folder

    def _cut_off(self, faults: Sequence[str], whole: int) -> bool:
        """Shorten the file to its whole lines, when the only fault is an end that is missing."""
        if len(faults) != 1 or (self.path / SAMPLES).stat().st_size == whole:
            return False
        assert self._file is not None, "it is open"
        os.ftruncate(self._file.fileno(), whole)
        os.fsync(self._file.fileno())
        self.repaired = f"{self.path / SAMPLES}: {faults[0]}; cut off, that sample will be measured again"
        return True

    def append(self, sample: Sample, raw: str) -> Sample:
        """Put a sample and its raw output on disk, and return it as it was written."""
        assert self._file is not None, "the folder is closed"
        data = raw.encode()
        bring_up = f"{sample.bring_up}." if self.manifest.bring_ups > 1 else ""
        name = f"{RAW}/{slug(sample.cell)}.{bring_up}{sample.repetition}.{sample.attempt}.txt"
        stored = sample.model_copy(update={"raw": name, "raw_sha256": hashlib.sha256(data).hexdigest()})
        with self._writing(sample):
            with open(self.path / name, "wb") as file:
                _write(file, data)
            sync_folder(self.path / RAW)
        self.adopt(stored)
        return stored

    def adopt(self, sample: Sample) -> None:
        """Put a sample on disk whose raw output lies in this folder already."""
        self.write_down([sample])
        self.samples.append(sample)

    def write_down(self, samples: Sequence[Sample]) -> None:
        """Put samples on disk at once, as `adopt`, and do not keep them in memory: there may be many."""
        assert self._file is not None, "the folder is closed"
        if samples:
            with self._writing(samples[0]):
                _write(self._file, "".join(sample.line() for sample in samples).encode())

    @contextmanager
    def _writing(self, sample: Sample) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self.path}: sample {sample.cell} #{sample.repetition} cannot be written: "
                f"{error.strerror}; make room and go on with --resume"
            ) from error

    def save(self) -> None:
        """Write the manifest, whole or not at all."""
        try:
            replace(self.path / MANIFEST, self.manifest.model_dump_json(indent=2) + "\n", sync=True)
        except OSError as error:
            raise RunError(f"{self.path / MANIFEST} cannot be written: {error.strerror}") from error

    def store(self, name: str, text: str) -> None:
        """Keep some text with the run, e.g. an overlay's own report.

        Raises:
            RunError: it cannot be written.
        """
        path = self.path / name
        try:
            make_folder(path.parent)
            replace(path, text, sync=True)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}; make room there") from error

    @property
    def run(self) -> StoredRun:
        """The run as the folder holds it so far."""
        return StoredRun(self.path, self.manifest, tuple(self.samples))

    def _open(self) -> None:
        try:
            self._lock = open(self.path / LOCK, "a")  # noqa: SIM115  held until close()
            self._take_lock(self._lock)
            self._file = open(self.path / SAMPLES, "ab", buffering=0)  # noqa: SIM115
            sync_folder(self.path)  # so that the disk has its name
        except OSError as error:
            self.close()
            raise RunError(f"{self.path} cannot be written: {error.strerror}; make room there") from error

    def _take_lock(self, lock: IO[str]) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RunError(
                f"{self.path} is being written by another command; wait for it or end it"
            ) from error

    def close(self) -> None:
        """Let go of the folder, which belongs to who ran this with sudo; a kill does the first."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None
        with suppress(OSError):  # it was removed meanwhile
            invoker.give_back(self.path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(file: IO[bytes], data: bytes) -> None:
    """Write and wait until the disk has it."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
    file.flush()
    os.fsync(file.fileno())


def slug(key: str) -> str:
    """Return a key as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9=_.-]+", "_", key)


def _manifest(path: Path) -> Manifest:
    refuse = partial(_no_run, path)
    text = decoded(
        content(path / MANIFEST, refuse, MANIFEST_SIZE, beneath=path), str(path / MANIFEST), refuse
    )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise _misfit(path / MANIFEST, text, error, MANIFEST_SCHEMA) from None


def _samples(path: Path) -> tuple[list[Sample], list[str], int]:
    """The whole samples, what is wrong with the others, and how many bytes whole lines take."""
    if not os.path.lexists(path / SAMPLES):
        return [], [], 0
    data = content(path / SAMPLES, RunError, SAMPLES_SIZE, beneath=path)
    samples: list[Sample] = []
    faults: list[str] = []
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            samples.append(Sample.model_validate_json(line))
        except ValidationError as error:
            text = line.decode(errors="replace")
            if other_schema(text, SCHEMA):
                raise _misfit(path / SAMPLES, text, error, SCHEMA) from None
            faults.append(f"line {number} is no sample ({_first(error)})")
    if data[whole:]:
        faults.append(f"the last line ends in mid-air after {len(data) - whole} bytes")
    return samples, faults, whole


def _no_run(path: Path, words: str) -> RunError:
    return RunError(f"{path} is no run folder: {words}")


def _refuse_links(path: Path) -> None:
    """Refuse to write through links, which may lead anywhere: a folder may come from another person.

    Raises:
        RunError: one of the files that are written is a link.
    """
    for name in (SAMPLES, LOCK, RAW, LOG, HOSTS):
        if (path / name).is_symlink():
            raise RunError(f"{path / name} is a link, through which the lab does not write; put a file there")


def other_schema(text: str, schema: int) -> str:
    """Return the schema that a text says it has, when it is another one; else nothing."""
    found = re.search(r'"schema(?:_version)?":\s*([^,}\s]{1,20})', text)
    return shown(found[1])[1:-1] if found and found[1] != str(schema) else ""


def _misfit(path: Path, text: str, error: ValidationError, schema: int) -> RunError:
    if other := other_schema(text, schema):
        return RunError(
            f"{path} has schema {other}, this lab reads schema {schema}; "
            "read it with the version that wrote it"
        )
    return RunError(f"{path} cannot be read: {_first(error)}")


def _first(error: ValidationError) -> str:
    one = error.errors()[0]
    return f"{'.'.join(map(str, one['loc'])) or 'line'}: {one['msg']}"
