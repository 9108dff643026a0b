"""A run as objects: as it is told, as it is recorded, and as its folder has it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lab.errors import RunError
from lab.events import Event, Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted
from lab.feed import recorder
from lab.feed.named import RunSource, lines_of, source_of
from lab.feed.objects import adapter
from lab.feed.recorder import recorded
from lab.feed.recording import NAME
from lab.feed.runs import RunTeller, stored
from lab.runs.experiment import Cell
from lab.runs.run_folder import read
from tests.unit.fakes import new_folder
from tests.unit.synthetic import throughput_run

CELL = Cell("weave", "latency", {"hops": 2}, repetitions=3)
EVENTS: tuple[Event, ...] = (
    StepStarted("weave: install"),
    StepDone("weave: install", 1.5, "<b>six</b> hosts"),
    StepFailed("weave: ready", 2.0),
    Note("nothing is lost"),
    SampleStarted(CELL.key, 1, 3, 0, 3, 12.34, 2),
    SampleDone(CELL.key, 1, "ok", "valid", {"mean_ms": 41.0, "tool": "ping", "ok": True}, 2),
    SampleDone(CELL.key, 2, "ok", "emulator-bound", {}, 2, reasons=["the machine was busy"]),
    SampleDone(CELL.key, 3, "failed", "valid", {}, 2, collapsed=True),
    SampleDone(CELL.key, 3, "failed", "broken", {}, 2),
)


def valid(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same objects, each of which fits the schema."""
    check = adapter()
    for one in objects:
        check.validate_python(one)
    return objects


@pytest.fixture
def teller(tmp_path: Path) -> RunTeller:
    with new_folder(tmp_path) as folder:
        return RunTeller(folder.manifest, folder.path, [CELL], 0, "class")


def test_every_event_becomes_objects_of_the_schema(teller: RunTeller) -> None:
    told = valid([one for event in EVENTS for one in teller.told(event)])
    samples = [one for one in told if one["kind"] == "sample"]
    assert [one["state"] for one in samples] == ["running", "measured", "measured", "collapsed", "failed"]
    assert {(one["cell"], one["overlay"], one["bring_up"]) for one in samples} == {(CELL.key, "weave", 2)}
    assert samples[1]["metrics"] == {"mean_ms": 41.0}
    assert [one["verdict"]["counts"] for one in samples[1:]] == [True, False, True, False]
    assert samples[2]["verdict"]["sentences"] == ["the machine was busy"]


def test_a_run_tells_its_grid_and_how_far_it_is(teller: RunTeller) -> None:
    told = [one for event in EVENTS for one in teller.told(event) if one["kind"] == "run"]
    assert told[0]["seconds_left"] == 12.3
    assert (told[-1]["done"], told[-1]["total"]) == (3, 3)
    assert "cells" not in told[-1]
    [begun] = valid([teller.begin()])
    assert begun["lab"] == "class"
    assert begun["cells"] == [
        {"id": CELL.key, "overlay": "weave", "labels": {"metric": "latency", "hops": "2"}, "repetitions": 3}
    ]


def test_what_is_recorded_is_what_a_page_reads(tmp_path: Path) -> None:
    heard: list[Event] = []
    with new_folder(tmp_path) as folder:
        with recorded(folder, [CELL], "", heard.append, measure=True) as emit:
            for event in EVENTS:
                emit(event)
            growing = list(RunSource(folder.path).look())
        folder.manifest.complete = True
    assert heard == list(EVENTS)
    objects = valid(list(RunSource(folder.path).look()))
    assert objects[: len(growing)] == growing
    assert len([one for one in growing if one["kind"] == "sample"]) == 5
    assert [one["state"] for one in objects if one["kind"] == "run"][-1] == "failed"


@pytest.mark.parametrize(
    ("error", "state"), [(None, "done"), (asyncio.CancelledError, "interrupted"), (RunError, "failed")]
)
def test_the_end_of_a_run_is_told(error: type[BaseException] | None, state: str, tmp_path: Path) -> None:
    def measure() -> None:
        with recorded(folder, [CELL], "", lambda _: None, measure=True):
            folder.manifest.complete = True
            if error:
                raise error

    with new_folder(tmp_path) as folder:
        if error:
            with pytest.raises(error):
                measure()
        else:
            measure()
    last = list(RunSource(folder.path).look())[-1]
    assert (last["kind"], last["state"]) == ("run", state)


def test_a_recording_that_cannot_be_written_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    heard: list[Event] = []
    with new_folder(tmp_path) as folder, recorded(folder, [CELL], "", heard.append, measure=True) as emit:
        monkeypatch.setattr(recorder.RecordingFile, "write", full)
        for event in EVENTS:
            emit(event)
    assert heard == [*EVENTS, Note("the recording ended: No space left on device")]


def test_a_run_whose_recording_cannot_begin_is_measured_all_the_same(tmp_path: Path) -> None:
    heard: list[Event] = []
    with new_folder(tmp_path) as folder:
        (folder.path / NAME).write_bytes(b"no gzip")
        with recorded(folder, [CELL], "no such lab", heard.append, measure=True) as emit:
            emit(EVENTS[0])
    assert isinstance(heard[0], Note)
    assert heard[0].text.startswith("this run is not recorded: ")
    assert heard[1:] == [EVENTS[0]]


def test_a_run_without_a_recording_is_told_from_its_samples(tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 40.0)
    objects = valid(list(stored(run)))
    assert [one["kind"] for one in objects[:2]] == ["lab", "run"]
    samples = [one for one in objects if one["kind"] == "sample"]
    assert len(samples) == len(run.samples) == objects[1]["done"]
    assert objects[0]["state"] == "gone"
    assert not (run.path / NAME).exists()
    assert len(list(lines_of(run.path))) == len(objects)
    source = source_of(str(run.path))
    assert list(source.look()) == list(stored(read(run.path)))
    assert list(source.look()) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        source_of(str(tmp_path))
