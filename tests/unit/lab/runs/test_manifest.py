"""The manifest of a run: what a resumed run must have in common with its beginning."""

from __future__ import annotations

import pytest

from lab.errors import RunError
from lab.runs.manifest import check_same
from tests.unit.fakes import manifest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 100.0}, r"rate was 20\.0, is 100\.0"),
        ({"shaper": "netem"}, "shaper was 'none', is 'netem'"),
        ({"environment": {"kernel": "6.1"}}, "kernel was None, is '6.1'"),
    ],
)
def test_a_run_is_not_resumed_under_other_conditions(change: dict[str, object], said: str) -> None:
    with pytest.raises(RunError, match=said):
        check_same(manifest(), manifest(**change))
    check_same(manifest(), manifest())
