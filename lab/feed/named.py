"""The sources of the feed, by what the user named: a lab, with the run that is measured on it, or a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab.errors import RunError
from lab.feed.hub import dumps
from lab.feed.objects import Plain
from lab.feed.recorder import run_on
from lab.feed.recording import NAME, RecordingReader
from lab.feed.runs import stored
from lab.feed.source import FeedSource
from lab.feed.watch import LabWatch
from lab.runs.run_folder import MANIFEST, read

#: Kinds of a recording that its lab tells by itself, while it is up.
MEASURED = ("lab", "links", "host", "overlay", "machine")


class RunSource:
    """A run: its recording, also while that grows; or its samples, where it has none."""

    def __init__(self, folder: Path, without: Sequence[str] = ()) -> None:
        self.folder, self._without = folder, without
        self._reader = RecordingReader(folder) if (folder / NAME).exists() else None
        self._told = False
        #: True while a sample is measured.
        self.measuring = False

    @property
    def run(self) -> str:
        """The id of the run, by its manifest."""
        return read(self.folder).manifest.run

    def look(self) -> Sequence[Plain]:
        """Return what is new in the run."""
        if self._reader is None:
            found = [] if self._told else list(stored(read(self.folder)))
            self._told = True
            return found
        return [self._noted(plain) for plain in self._reader.read() if plain["kind"] not in self._without]

    def close(self) -> None:
        """Nothing is held."""

    def _noted(self, plain: Plain) -> Plain:
        if plain["kind"] == "sample":
            self.measuring = plain["state"] == "running"
        elif plain["kind"] == "run" and plain["state"] != "running":
            self.measuring = False
        return plain


class LabSource:
    """A lab that is up, and the run that is measured on it."""

    def __init__(self, which: str) -> None:
        self._watch = LabWatch(which)
        self._run: RunSource | None = None

    @property
    def lab(self) -> str:
        """The name of the lab."""
        return self._watch.name

    @property
    def run(self) -> RunSource | None:
        """The run that is, or was last, measured on the lab while this looked."""
        return self._run

    def look(self) -> Sequence[Plain]:
        """Return what is new. While a sample is measured, nothing is sent over the links."""
        return [*self._of_run(), *self._watch.look()]

    def close(self) -> None:
        """Let go of the lab's namespaces."""
        self._watch.close()

    def _of_run(self) -> Iterator[Plain]:
        folder = run_on(self._watch.record.lab_id)
        if folder is not None and (self._run is None or self._run.folder != folder) and _recorded(folder):
            self._run = RunSource(folder, MEASURED)
        if self._run is not None:
            yield from self._run.look()
            self._watch.quiet = self._run.measuring and folder is not None


def _recorded(folder: Path) -> bool:
    return (folder / NAME).exists()


def is_run(what: str) -> bool:
    """Tell if a word is the folder of a run."""
    return bool(what) and (Path(what) / MANIFEST).exists()


def source_of(what: str) -> LabSource | RunSource:
    """Return the news of a lab, or of the run in a folder.

    Raises:
        UnknownName: there is no such lab.
        RunError: the folder is no run folder.
    """
    if is_run(what):
        return RunSource(Path(what))
    if "/" in what or (Path(what).is_dir() and what):
        raise RunError(f"{what} is no run folder: it has no {MANIFEST}")
    return LabSource(what)


def once(source: FeedSource, wait: Callable[[], None]) -> Iterator[Plain]:
    """Yield the present state of a source: two looks, as rates need the time between."""
    yield from source.look()
    wait()
    yield from source.look()


def lines_of(folder: Path) -> Iterator[bytes]:
    """Yield a whole run as lines of JSON, in the order of their times.

    Raises:
        RunError: the folder is no run folder, or its recording is none.
    """
    for plain in sorted(RunSource(folder).look(), key=lambda one: float(one["t"])):
        yield dumps(plain).encode()
