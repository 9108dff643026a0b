"""Events as plain lines, for a pipe and for a run's ``log``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lab.events import Emit, Event, Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted

#: The value that stands for a sample where there is room for one: the first of these it has.
TELLING = {"mean_ms": "ms", "received_mbps": "Mbit/s"}


def duration(seconds: float) -> str:
    """``4 s``, ``1:05 min``, ``2:00:10 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02} h"


def telling(event: SampleDone) -> str:
    """The one figure of a sample, with its unit; the outcome when there is none."""
    for name, unit in TELLING.items():
        if name in event.values:
            return f"{event.values[name]:.2f} {unit}"
    return event.outcome


def line(event: Event) -> str:
    """One line for an event."""
    match event:
        case StepStarted(step):
            return f"{step} …"
        case StepDone(step, seconds, detail):
            return f"{step}: done in {duration(seconds)}" + (f" ({detail})" if detail else "")
        case StepFailed(step, seconds):
            return f"{step}: failed after {duration(seconds)}"
        case Note(text):
            return text
        case SampleStarted(_, repetition, repetitions, done, total, left):
            return (
                f"[{done + 1}/{total}] {event.named}, repetition {repetition} of {repetitions}, "
                f"about {duration(left)} left"
            )
        case SampleDone(_, _, _, verdict):
            marked = "" if verdict == "valid" else f" ({verdict})"
            return f"    {telling(event)}{marked}"
    raise TypeError(event)


def logging(path: Path, emit: Emit) -> Emit:
    """An `Emit` that also appends each event to the file at `path`, with the time (UTC)."""

    def both(event: Event) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with open(path, "a") as file:
            file.write(f"{now} {line(event)}\n")
        emit(event)

    return both
