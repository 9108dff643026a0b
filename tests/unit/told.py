"""Events of a run, and the line that each of them is."""

from __future__ import annotations

from lab.events import Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted

EVENTS = [
    StepStarted("weave: install"),
    StepDone("weave: install", 1.25, "6 hosts"),
    SampleStarted("weave/tcp/to=PRG", 2, 3, 4, 70, 125.0),
    SampleDone("weave/tcp/to=PRG", 2, "ok", "host-bound", {"sent_mbps": 20.0, "received_mbps": 19.125}),
    SampleDone("weave/latency/to=PRG", 1, "ok", "valid", {"mean_ms": 21.75}),
    SampleDone("weave/tcp/to=PRG", 3, "failed", "broken", {}),
    StepStarted("weave: ready"),
    StepFailed("weave: ready", 60.0),
    Note("weave is given up: [no] peers"),
]


LINES = [
    "weave: install …",
    "weave: install: done in 1.2 s (6 hosts)",
    "[5/70] weave/tcp/to=PRG, repetition 2 of 3, about 2:05 min left",
    "    19.12 Mbit/s (host-bound)",
    "    21.75 ms",
    "    failed (broken)",
    "weave: ready …",
    "weave: ready: failed after 1:00 min",
    "weave is given up: [no] peers",
]
