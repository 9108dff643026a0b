"""Steps as events."""

from __future__ import annotations

import pytest

from lab.events import StepFailed, StepStarted, step


def test_a_step_that_ends_in_an_error_is_over_too() -> None:
    seen: list[object] = []
    with pytest.raises(ValueError, match="no"), step(seen.append, "links"):
        raise ValueError("no")
    assert [type(event) for event in seen] == [StepStarted, StepFailed]
