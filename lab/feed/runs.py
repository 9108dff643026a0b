"""A run as objects of the feed: its grid, its samples and its events, as they come and as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.events import Event, Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted
from lab.feed.objects import VERSION, Plain, RunCell
from lab.feed.watch import positions, stamped
from lab.runs.event_log import line
from lab.runs.experiment import Cell
from lab.runs.manifest import Manifest
from lab.runs.run_folder import StoredRun
from lab.runs.sample import COUNTING, Sample
from lab.topology import Topology


class RunTeller:
    """Turns a run's events into objects. `lab` is the lab that it runs on, "" where it has none here."""

    def __init__(self, manifest: Manifest, folder: Path, cells: Sequence[Cell], done: int, lab: str) -> None:
        self._manifest, self._lab = manifest, lab
        self._cells = {cell.key: cell for cell in cells}
        total = manifest.bring_ups * sum(cell.repetitions for cell in cells)
        self._run: Plain = {
            "run": manifest.run,
            "experiment": manifest.experiment,
            "state": "running",
            "done": done,
            "total": total,
            "seconds_left": None,
        }
        self._grid = {
            "cells": [run_cell(cell) for cell in cells],
            "repetitions": max((cell.repetitions for cell in cells), default=0),
            "bring_ups": manifest.bring_ups,
            "folder": str(folder),
            **({"lab": lab} if lab else {}),
        }

    def begin(self) -> Plain:
        """Return the run with its grid."""
        return stamped("run", **self._run, **self._grid)

    def now(self, **changes: Any) -> Plain:
        """Return the run as it is now, after some changes; its grid stays."""
        self._run |= changes
        return stamped("run", **self._run)

    def told(self, event: Event) -> Iterator[Plain]:
        """Yield the objects of an event."""
        match event:
            case SampleStarted():
                yield self._sample(event, state="running")
                yield self.now(done=event.done, total=event.total, seconds_left=round(event.left, 1))
            case SampleDone():
                counts = event.verdict in COUNTING and state(event.outcome, event.collapsed) != "failed"
                verdict = {"counts": counts, "words": [event.verdict], "sentences": list(event.reasons)}
                yield self._sample(
                    event,
                    state=state(event.outcome, event.collapsed),
                    metrics=figures(event.values),
                    verdict=verdict,
                )
                yield self.now(done=self._run["done"] + (event.outcome == "ok" or event.collapsed))
            case StepStarted() | StepDone() | StepFailed() | Note():
                level = "warning" if isinstance(event, StepFailed) else "info"
                yield stamped("event", level=level, text=line(event), run=self._manifest.run)

    def _sample(self, event: SampleStarted | SampleDone, **more: Any) -> Plain:
        cell = self._cells.get(event.cell)
        return stamped(
            "sample",
            run=self._manifest.run,
            cell=event.cell,
            overlay=cell.overlay if cell else event.cell.partition("/")[0],
            repetition=event.repetition,
            bring_up=event.bring_up,
            **more,
        )


def run_cell(cell: Cell) -> RunCell:
    """Return a cell as the feed has it."""
    labels = _labels(cell)
    return {"id": cell.key, "overlay": cell.overlay, "labels": labels, "repetitions": cell.repetitions}


def _labels(one: Cell | Sample) -> dict[str, str]:
    return {"metric": one.metric, **{name: str(value) for name, value in one.params.items()}}


def state(outcome: str, collapsed: bool) -> str:
    """Return the state of a sample that was measured, or was not."""
    return "collapsed" if collapsed else "measured" if outcome == "ok" else "failed"


def figures(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a sample that are numbers."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def stored(run: StoredRun) -> Iterator[Plain]:
    """Yield a run without a recording, from its manifest and its samples."""
    manifest, begun = run.manifest, _time(run.manifest.created)
    topology = Topology.from_dict(manifest.topology)
    at = positions(topology)
    shown = {
        "name": topology.name,
        "hosts": [{"name": host.name, "site": host.site, "at": at[host.name]} for host in topology.hosts],
        "links": [],
    }
    lab = {"lab": manifest.run, "state": "gone", "topology": shown, "shaper": manifest.shaper}
    yield _at(begun, "lab", **lab, clock=manifest.clock)
    cells = _cells(run.samples)
    yield _at(
        begun,
        "run",
        run=manifest.run,
        experiment=manifest.experiment,
        state="done" if manifest.complete else "interrupted",
        cells=cells,
        repetitions=max((cell["repetitions"] for cell in cells), default=0),
        bring_ups=manifest.bring_ups,
        done=sum(sample.measured for sample in run.samples),
        total=manifest.bring_ups * sum(cell["repetitions"] for cell in cells),
        seconds_left=None,
        folder=str(run.path),
        lab=manifest.run,
    )
    for sample in run.samples:
        yield stored_sample(sample)


def stored_sample(sample: Sample) -> Plain:
    """Return a sample as the feed has it."""
    verdict = {
        "counts": sample.valid,
        "words": [sample.verdict.state],
        "sentences": list(sample.verdict.reasons),
    }
    return _at(
        _time(sample.started) + sample.seconds,
        "sample",
        run=sample.run,
        cell=sample.cell,
        overlay=sample.overlay,
        repetition=sample.repetition,
        bring_up=sample.bring_up,
        state=state(sample.outcome, sample.collapsed),
        metrics=figures(sample.values),
        verdict=verdict,
    )


def _cells(samples: Sequence[Sample]) -> list[RunCell]:
    """Return the cells of samples; each has as many repetitions as were measured."""
    found: dict[str, RunCell] = {}
    for sample in samples:
        fresh: RunCell = {
            "id": sample.cell,
            "overlay": sample.overlay,
            "labels": _labels(sample),
            "repetitions": 0,
        }
        cell = found.setdefault(sample.cell, fresh)
        cell["repetitions"] = max(cell["repetitions"], sample.repetition)
    return list(found.values())


def _at(when: float, kind: str, **fields: Any) -> Plain:
    return {"v": VERSION, "t": round(when, 3), "kind": kind, **fields}


def _time(text: str) -> float:
    """Return a time of a run folder as Unix time (s); 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
