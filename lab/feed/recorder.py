"""Records a run while it is measured: its events as they come, and its lab once an interval, by a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Stop
from threading import Lock, Thread
from time import thread_time

from lab.emulation.ownership import LabState
from lab.errors import LabError
from lab.events import Emit, Event, Note, SampleDone, SampleStarted
from lab.feed.objects import Plain
from lab.feed.recording import RecordingFile
from lab.feed.runs import RunTeller
from lab.feed.watch import LabWatch
from lab.runs.experiment import Cell
from lab.runs.run_folder import RunFolder

#: Seconds between two looks at the lab, at least; and the part of a processor that they take at most.
INTERVAL, SHARE = 1.0, 0.01
#: The file of a lab's folder that names the run folder of the run that measures on it.
RUN = "run"


class RunRecorder:
    """Writes the recording of one run. A recording that fails ends, and does not disturb the run."""

    def __init__(self, recording: RecordingFile, teller: RunTeller, watch: LabWatch | None) -> None:
        self._recording, self._teller, self._watch = recording, teller, watch
        self._lock, self._over = Lock(), Stop()
        self._thread = Thread(target=self._look_again, daemon=True)
        #: The reason why there is no more recording; "" while there is.
        self.trouble = ""

    def start(self) -> None:
        """Begin with the run itself."""
        self._write([self._teller.begin()])
        if self._watch is not None:
            self._thread.start()

    def hear(self, event: Event) -> None:
        """Record an event. While a sample is measured, the feed sends nothing over the links."""
        if self._watch is not None:
            self._watch.quiet = isinstance(event, SampleStarted) or (
                self._watch.quiet and not isinstance(event, SampleDone)
            )
        self._write(list(self._teller.told(event)))
        if self._watch is None:
            self._flush()

    def show(self, objects: Sequence[Plain]) -> None:
        """Record objects of labs that are not on this machine."""
        self._write(objects)
        self._flush()

    def stop(self, state: str) -> None:
        """End the recording with the state of the run."""
        self._over.set()
        if self._watch is not None:
            self._thread.join()
        self._write([self._teller.now(state=state, seconds_left=None)])
        if self._watch is not None:
            self._watch.close()
        with suppress(OSError):
            self._recording.close()

    def _look_again(self) -> None:
        assert self._watch is not None, "something to look at"
        while True:
            start = thread_time()
            with suppress(LabError, OSError):
                self._write(self._watch.look())
            self._flush()
            if self._over.wait(max(INTERVAL, (thread_time() - start) / SHARE)):
                return

    def _write(self, objects: Sequence[Plain]) -> None:
        with self._lock:
            if self.trouble:
                return
            try:
                self._recording.write(objects)
            except OSError as error:
                self.trouble = f"the recording ended: {error.strerror}"

    def _flush(self) -> None:
        with self._lock, suppress(OSError):
            if not self.trouble:
                self._recording.flush()


@dataclass(frozen=True)
class Told:
    """An `Emit` that a run's recording is told of as well; `recorder` is None for a run without one."""

    emit: Emit
    recorder: RunRecorder | None = None

    def __call__(self, event: Event) -> None:
        if self.recorder is not None:
            self.recorder.hear(event)
        self.emit(event)

    def show(self, objects: Sequence[Plain]) -> None:
        """Show objects of labs on other machines to those who look at the run."""
        if self.recorder is not None:
            self.recorder.show(objects)


@contextmanager
def recorded(
    folder: RunFolder, cells: Sequence[Cell], lab: str, emit: Emit, *, measure: bool
) -> Iterator[Told]:
    """Record a run while this lasts; yields an `Emit` that is told of everything.

    A run that cannot be recorded is measured all the same, and a note says why.

    Args:
        folder: the run's folder, which gets the recording.
        cells: the cells that are measured.
        lab: the id of the lab on this machine; "" for none.
        emit: what is told of everything as well.
        measure: record links, hosts and the machine; else only the run itself.
    """
    try:
        recorder = _recorder(folder, cells, lab if measure else "")
    except (LabError, OSError) as error:
        emit(Note(f"this run is not recorded: {error}"))
        yield Told(emit)
        return
    recorder.start()
    state = "failed"
    try:
        with _named(lab, folder.path):
            yield Told(emit, recorder)
        state = "done" if folder.manifest.complete else "failed"
    except asyncio.CancelledError:
        state = "interrupted"
        raise
    finally:
        recorder.stop(state)
        if recorder.trouble:
            emit(Note(recorder.trouble))


def _recorder(folder: RunFolder, cells: Sequence[Cell], lab: str) -> RunRecorder:
    """Return what records a run, and the lab of this id where there is one."""
    recording = RecordingFile(folder.path)
    watch = LabWatch(lab) if lab else None
    done = sum(sample.measured for sample in folder.samples)
    teller = RunTeller(folder.manifest, folder.path, cells, done, watch.name if watch else "")
    return RunRecorder(recording, teller, watch)


@contextmanager
def _named(lab: str, folder: Path) -> Iterator[None]:
    """Let those who look at the lab find the run."""
    if not lab:
        yield
        return
    pointer = LabState(lab).folder / RUN
    with suppress(OSError):
        pointer.write_text(str(folder.absolute()))
    try:
        yield
    finally:
        pointer.unlink(missing_ok=True)


def run_on(lab: str) -> Path | None:
    """Return the folder of the run that is measured on a lab; None where there is none."""
    with suppress(OSError):
        return Path((LabState(lab).folder / RUN).read_text())
    return None
