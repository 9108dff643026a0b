"""Steps as events."""

from __future__ import annotations

import pytest

from lab.events import Note, SampleDone, StepDone, StepFailed, StepStarted, from_json, step, to_json


def test_a_step_that_ends_in_an_error_is_over_too() -> None:
    seen: list[object] = []
    with pytest.raises(ValueError, match="no"), step(seen.append, "links"):
        raise ValueError("no")
    assert [type(event) for event in seen] == [StepStarted, StepFailed]


def test_events_go_to_another_process_and_come_back() -> None:
    for event in (Note("é\nx"), StepDone("links", 1.5, "6"), SampleDone("c", 1, "ok", "valid", {"ms": 2.0})):
        assert "\n" not in to_json(event)
        assert from_json(to_json(event)) == event
    for line in ("", "{}", "[]", '{"event": "Nonsense"}', '{"event": "Note"}', "Kernel panic"):
        assert from_json(line) is None
