"""What a run refuses before anything is built for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.run import RunRequest, adjusted, load_experiment, parts, refuse_nothing, show_plan
from lab.errors import FileError, LabError, RunError
from lab.hosts.command import Trace
from lab.runs.run_folder import try_to_write


@pytest.mark.parametrize("seconds", [0.5, float("nan"), float("inf"), 1e9])
def test_a_time_that_nothing_can_measure_for_is_refused(seconds: float) -> None:
    profile = load_experiment("multihop").profiles["quick"]

    with pytest.raises(LabError, match="is no time to measure for; give 1 to 86,400 seconds"):
        adjusted(profile, RunRequest("multihop", duration=seconds))


def test_words_that_no_cell_has_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A whole lab was once built to measure nothing."""
    asked = RunRequest("multihop", overlays=("underlay",), only=("tpc", "upd"))

    with pytest.raises(RunError, match="no cell of multihop has 'tpc' or 'upd' in its key"):
        show_plan(asked)
    refuse_nothing(
        RunRequest("multihop", only=("tcp",)), parts(RunRequest("multihop", overlays=("underlay",)))
    )
    assert capsys.readouterr().out == ""


def test_a_place_where_no_run_can_be_stored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    try_to_write(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []
    with pytest.raises(RunError, match=r"no run folder can be made in .*/file: File exists; see --results"):
        try_to_write(tmp_path / "file")


def test_a_trace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"the trace cannot be written to .*/no/trace: No such file"):
        Trace(tmp_path / "no" / "trace")
