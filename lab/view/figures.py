"""The figures of a run on its page: those of its folder, or drawn again while it is measured.

``python -m lab.view.figures RUN FOLDER`` draws them. That takes a processor for some seconds. So it is done
while no sample is measured: an overlay is brought up, or the run has ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

from lab import plugins
from lab.feed.hub import dumps
from lab.feed.named import RunSource
from lab.feed.objects import Plain
from lab.feed.watch import stamped
from lab.report.presentation import PresentedExperiment
from lab.runs.run_folder import SAMPLES, read

#: The folder of figures in that of a run.
FIGURES = "figures"

#: Seconds without a sample before figures are drawn, and between two times.
IDLE, AGAIN = 3.0, 30.0
#: The priority of the work: after all else.
NICE = "19"
#: Bytes of a figure at most.
LARGEST = 4 << 20


class FigureSource:
    """Figures of the run that `run` returns, if any: each is told when it is new or has changed."""

    def __init__(self, run: Callable[[], RunSource | None]) -> None:
        self._find = run
        self._told: dict[str, str] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="lab-view-")
        self._process: subprocess.Popen[bytes] | None = None
        self._idle_since: float | None = None
        self._next, self._drawn = 0.0, -1

    def look(self) -> Sequence[Plain]:
        """Return the figures that changed; begin or end the work on new ones."""
        if (run := self._find()) is None:
            return []
        if up_to_date(run.folder):
            return list(self._read(run, run.folder / FIGURES))
        if self._process is not None:
            return self._finish(run)
        self._begin(run, _size(run.folder / SAMPLES))
        return []

    def close(self) -> None:
        """End the work."""
        self._end()
        self._folder.cleanup()

    def _begin(self, run: RunSource, size: int) -> None:
        now = monotonic()
        if run.measuring:
            self._idle_since = None
            return
        self._idle_since = self._idle_since or now
        if now - self._idle_since < IDLE or now < self._next or size in (0, self._drawn):
            return
        self._next, self._drawn = now + AGAIN, size
        argv = ["nice", "-n", NICE, sys.executable, "-m", "lab.view.figures"]
        self._process = subprocess.Popen(
            [*argv, str(run.folder), self._folder.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _finish(self, run: RunSource) -> Sequence[Plain]:
        assert self._process is not None, "begun"
        if self._process.poll() is not None:
            self._process = None
            return list(self._read(run, Path(self._folder.name)))
        if run.measuring:
            self._end()
            self._drawn = -1
        return []

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _read(self, run: RunSource, folder: Path) -> Iterator[Plain]:
        number = run.run
        for name, svg in figures(folder):
            if self._told.get(name) != svg:
                self._told[name] = svg
                yield stamped("figure", run=number, name=name, svg=svg)


def figures(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the SVG of each figure in a folder; not those that are links, or far too large."""
    for path in sorted(folder.glob("*.svg")):
        if not path.is_symlink() and path.is_file() and path.stat().st_size <= LARGEST:
            yield path.stem, path.read_text(errors="replace")


def stored(folder: Path, run: str, when: float) -> Iterator[bytes]:
    """Yield the figures in a run's folder as lines of a recording that ends at `when` (Unix time, s)."""
    for name, svg in figures(folder / FIGURES):
        yield dumps({**stamped("figure", run=run, name=name, svg=svg), "t": when}).encode()


def up_to_date(folder: Path) -> bool:
    """Tell if a run's folder has figures that are newer than its samples."""
    drawn = [path.stat().st_mtime for path in (folder / FIGURES).glob("*.svg")]
    try:
        return bool(drawn) and min(drawn) >= (folder / SAMPLES).stat().st_mtime
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def main(run: Path, folder: Path) -> None:
    """Draw the figures of a run into a folder."""
    stored = read(run)
    experiment: PresentedExperiment = plugins.load("experiments", stored.manifest.experiment)()
    list(experiment.figures(stored, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
