"""Faults of storage, on real file systems: a full disk and one that turned read-only lose nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.emulation.ownership import LabState
from lab.emulation.registry import claim, read
from lab.errors import CommandError, LabError, RunError
from lab.runs.run_folder import RunFolder
from lab.runs.run_folder import read as read_run
from lab.testbed import undo_record
from lab.util import files, paths
from tests.unit.fakes import new_folder
from tests.unit.here import Here
from tests.unit.lab.runs.test_run_folder import sample


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 512 KiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], check=True)
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", folder / "state")
    monkeypatch.setattr("lab.util.locks.STATE", folder / "state")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room; returns the file that takes it."""
    ballast = disk / "ballast"
    handle = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    try:
        with suppress(OSError):
            while True:
                os.write(handle, bytes(4096))
    finally:
        os.close(handle)
    return ballast


def read_only(disk: Path, *, on: bool = True) -> None:
    how = "ro" if on else "rw"
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


FAULTS = {"full": "No space left on device", "read-only": "Read-only file system"}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, disk: Path) -> Iterator[Fault]:
    yield (fault := Fault(disk, request.param))
    fault.mend()


class Fault:
    """A fault of the disk that can be had and mended."""

    def __init__(self, disk: Path, kind: str) -> None:
        self.disk, self.kind, self.words = disk, kind, FAULTS[kind]

    def happen(self) -> None:
        if self.kind == "full":
            fill(self.disk)
        else:
            read_only(self.disk)

    def mend(self) -> None:
        if self.kind == "read-only":
            read_only(self.disk, on=False)
        (self.disk / "ballast").unlink(missing_ok=True)


@pytest.mark.parametrize("fault", ["full"], indirect=True)
def test_a_run_keeps_what_it_has_and_goes_on_when_there_is_room(fault: Fault) -> None:
    with new_folder(fault.disk) as folder:
        folder.append(sample(1), "one")
        fault.happen()
        with pytest.raises(RunError, match=f"cannot be written: {fault.words}; make room and go on"):
            folder.append(sample(2), "two" * 100_000)
        with pytest.raises(RunError, match=fault.words):
            folder.save()
        with pytest.raises(RunError, match=fault.words):
            folder.store("reports/weave.json", "{}" * 10_000)
    assert [one.repetition for one in read_run(folder.path).samples] == [1]
    fault.mend()
    with RunFolder.resume(folder.path) as again:
        again.append(sample(2), "two")
    assert [one.repetition for one in read_run(folder.path).samples] == [1, 2]


@pytest.mark.parametrize("fault", ["read-only"], indirect=True)
def test_a_run_on_a_disk_that_turned_read_only_can_be_read_and_resumed_later(fault: Fault) -> None:
    with new_folder(fault.disk) as folder:
        folder.append(sample(1), "one")
    fault.happen()
    with pytest.raises(RunError, match=f"{folder.path} cannot be written: {fault.words}"):
        RunFolder.resume(folder.path)
    assert [one.repetition for one in read_run(folder.path).samples] == [1]
    fault.mend()
    RunFolder.resume(folder.path).close()


def test_a_run_that_cannot_begin_says_why(fault: Fault) -> None:
    fault.happen()
    with pytest.raises(RunError, match=fault.words):
        new_folder(fault.disk)


def test_the_record_of_a_lab_stays_as_it_was(fault: Fault) -> None:
    record = claim(LabState.create().lab_id, "class")
    fault.happen()
    record.shaper = "x" * 10_000
    with pytest.raises(OSError, match=fault.words):
        record.save()
    found = read(record.lab_id)
    assert found is not None
    assert (found.shaper, found.damaged) == ("", "")


def test_no_lab_begins_whose_record_cannot_be_kept(fault: Fault) -> None:
    state = LabState.create()
    (paths.STATE / "labs").mkdir(parents=True)
    (paths.STATE / "names.lock").touch()
    fault.happen()
    with pytest.raises(OSError, match=fault.words):
        claim(state.lab_id, "class")
    assert read(state.lab_id) is None
    assert list((paths.STATE / "labs").iterdir()) == []


def test_a_survey_on_a_machine_stays_as_it_was(fault: Fault) -> None:
    survey = fault.disk / "state" / "before"
    asyncio.run(undo_record.write_whole(Here(), str(survey), b"whole"))
    fault.happen()
    with pytest.raises(CommandError, match=fault.words):
        asyncio.run(undo_record.write_whole(Here(), str(survey), b"another" * 1000))
    assert survey.read_bytes() == b"whole"


def test_files_of_a_user_stay_as_they_were(fault: Fault) -> None:
    there = fault.disk / "topology.yaml"
    files.write({there: b"old"})
    fault.happen()
    with pytest.raises(LabError, match=fault.words):
        files.write({there: b"new" * 10_000}, force=True)
    assert there.read_bytes() == b"old"
    assert sorted(path.name for path in fault.disk.glob(".topology*")) == []
