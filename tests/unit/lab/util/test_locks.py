"""Locks of a lab, between processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.emulation.ownership import LabState
from lab.errors import LabError
from lab.events import Event, Note
from lab.util.locks import lab_lock
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr("lab.util.locks.STATE", tmp_path / "state")


HOLD = """
import sys, time
from pathlib import Path
from lab.events import silent
from lab.util.locks import lab_lock
with lab_lock(Path(sys.argv[1]), "class", silent):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_command_on_a_lab_says_who_has_it_and_waits() -> None:
    # given a command that holds a lab
    folder = LabState.create().folder
    argv = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        first.stdout.readline()
        said: list[Event] = []

        def told(event: Event) -> None:
            said.append(event)
            first.stdin.close()  # type: ignore[union-attr]

        # when a second one wants it, then it is told of the first, and gets the lab when that one ends
        with lab_lock(folder, "class", told):
            assert first.wait(10) == 0
    (note,) = said
    assert isinstance(note, Note)
    assert f"process {first.pid}" in note.text


def test_who_waited_for_a_lab_that_was_taken_down_is_told() -> None:
    made = LabState.create()
    folder = made.folder
    argv = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()

        def told(_: Event) -> None:
            made.forget()
            first.stdin.close()  # type: ignore[union-attr]

        with pytest.raises(LabError, match="removed by another command"), lab_lock(folder, "class", told):
            time.sleep(0)
