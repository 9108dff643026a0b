"""The run folder: nothing that was measured is lost, whatever happens to the process that writes it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lab.errors import RunError
from lab.runs.manifest import RunSession
from lab.runs.run_folder import RunFolder, read, try_to_write
from lab.runs.sample import Sample, Verdict
from tests.paths import ROOT
from tests.unit.fakes import new_folder
from tests.unit.power_cuts import PowerCuts


def sample(repetition: int = 1, **more: object) -> Sample:
    known = {
        "run": "abc123",
        "cell": "fake/x/to=PRG",
        "overlay": "fake",
        "metric": "x",
        "repetition": repetition,
        "started": "2030-01-02T03:04:05.000+00:00",
        "seconds": 1.25,
        "outcome": "ok",
        "values": {"mean_ms": 21.75},
    }
    return Sample.model_validate({**known, **more})


def test_the_folder_is_named_by_experiment_time_and_id(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        assert folder.path == tmp_path / "fake-20300102T030405Z-abc123"


def test_a_sample_read_back_is_the_sample_written(tmp_path: Path) -> None:
    verdict = Verdict(state="host-bound", reasons=["AMS was held at its CPU quota 30% of the time"])
    with new_folder(tmp_path) as folder:
        written = folder.append(sample(verdict=verdict, params={"to": "PRG", "hops": 1}), "raw – output")
    (found,) = read(folder.path).samples
    assert found == written
    assert (folder.path / str(found.raw)).read_text() == "raw – output"


def test_samples_are_plain_json_lines(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")
        folder.append(sample(2), "")
    lines = (folder.path / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["repetition"] for line in lines] == [1, 2]


def test_a_truncated_last_line_is_cut_off_and_said(tmp_path: Path) -> None:
    # given a folder whose last sample was half-written
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")
        folder.append(sample(2), "")
    file = folder.path / "samples.jsonl"
    whole = file.read_bytes()
    os.truncate(file, len(whole) - 40)
    # when it is read, the fault is named; when it is resumed, it is gone and a new sample fits in
    assert "mid-air" in read(folder.path).faults[0]
    with RunFolder.resume(folder.path) as resumed:
        assert "cut off" in resumed.repaired
        assert [s.repetition for s in resumed.samples] == [1]
        resumed.append(sample(2), "")
    assert [s.repetition for s in read(folder.path).samples] == [1, 2]
    assert not read(folder.path).faults


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_wherever_a_line_breaks_off_the_whole_ones_stay(tmp_path: Path, length: int) -> None:
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")
    file = folder.path / "samples.jsonl"
    line = file.read_bytes()
    file.write_bytes(line + line[: min(length, len(line) - 1)])
    with RunFolder.resume(folder.path) as resumed:
        assert [s.repetition for s in resumed.samples] == [1]
    assert file.read_bytes() == line


def test_an_unreadable_line_in_the_middle_is_not_resumed_over(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")
    file = folder.path / "samples.jsonl"
    line = file.read_bytes()
    file.write_bytes(b'{"edited": true}\n' + line)
    with pytest.raises(RunError, match=r"line 1 is no sample .* mend or remove"):
        RunFolder.resume(folder.path)
    # while a reader gets what is whole, and the fault
    run = read(folder.path)
    assert len(run.samples) == 1
    assert "line 1" in run.faults[0]
    # and the lock was let go of
    file.write_bytes(line)
    RunFolder.resume(folder.path).close()


def test_a_folder_of_another_schema_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")
    for name in ("samples.jsonl", "manifest.json"):
        file = folder.path / name
        text = file.read_text()
        file.write_text(
            text.replace('"schema_version":1', '"schema_version":2').replace(
                '"schema_version": 1', '"schema_version": 2'
            )
        )
        with pytest.raises(RunError, match="has schema 2, this lab reads schema 1"):
            RunFolder.resume(folder.path)
        with pytest.raises(RunError, match="schema 2"):
            read(folder.path)
        file.write_text(text)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        read(tmp_path)


def test_two_commands_cannot_write_one_folder(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        with pytest.raises(RunError, match="being written by another command"):
            RunFolder.resume(folder.path)
        read(folder.path)
    RunFolder.resume(folder.path).close()


def test_a_manifest_is_replaced_as_a_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        folder.manifest.complete = True
        folder.save()
        assert [p.name for p in folder.path.glob(".*")] == []
    assert read(folder.path).manifest.complete


def test_a_resumed_run_remembers_the_commands_that_worked_on_it(tmp_path: Path) -> None:
    with new_folder(tmp_path) as folder:
        pass
    RunFolder.resume(folder.path, RunSession(started="now", command=["lab", "emulate"])).close()
    assert [s.command for s in read(folder.path).manifest.sessions] == [["lab", "emulate"]]


def test_appending_a_sample_is_flushed_and_quick(tmp_path: Path) -> None:
    """Not a timed test: it only catches something that grows with the number of samples."""
    with new_folder(tmp_path) as folder:
        start = time.monotonic()
        for n in range(1, 201):
            folder.append(sample(n), "raw")
        assert time.monotonic() - start < 30
        assert len(read(folder.path).samples) == 200


def test_a_full_disk_is_one_sentence_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_folder(tmp_path) as folder:
        folder.append(sample(1), "")

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"#2 cannot be written: No space left .* --resume"):
            folder.append(sample(2), "")
    monkeypatch.undo()
    assert read(folder.path).samples[0].repetition == 1


def test_kill_9_in_a_sample_loses_none_and_none_is_measured_twice(tmp_path: Path) -> None:
    # given a process that measures, killed in the middle of its first, third and fourth sample
    folder = new_folder(tmp_path)
    folder.close()
    begun = 0
    for count in (1, 2, 1):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.runs_child", str(folder.path), "1"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert child.stdout is not None
        for _ in range(count):
            assert child.stdout.readline()
            begun += 1
        child.kill()
        child.communicate()
        assert child.returncode == -9
    finished = len(read(folder.path).samples)
    assert finished == begun - 3
    # when it is resumed to its end
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.runs_child", str(folder.path), "0"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
    )
    # then it measured exactly what was missing
    run = read(folder.path)
    assert len(done.stdout.splitlines()) == 5 - finished
    assert len(run.samples) == len({(s.cell, s.repetition) for s in run.samples}) == 5
    assert run.manifest.complete


def test_a_place_where_no_run_can_be_stored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    try_to_write(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []
    with pytest.raises(RunError, match=r"can be made in .*/file: Not a directory; see --results"):
        try_to_write(tmp_path / "file")


def test_no_power_cut_loses_a_sample_that_was_finished(tmp_path: Path) -> None:
    root, cut = tmp_path / "disk", tmp_path / "cut"
    root.mkdir()
    with PowerCuts(root) as cuts:
        with new_folder(root / "results") as folder:
            cuts.promise()
            for number in range(1, 4):
                folder.append(sample(number), f"raw output {number}")
                cuts.promise()
        name = str(folder.path.relative_to(root))
    tried = 0
    for tree, promised in cuts.trees(cut):
        tried += 1
        if not promised:  # the run had not begun; whatever is there is named, or reads as a run of nothing
            with suppress(RunError):
                assert not read(tree / name).samples
            continue
        with RunFolder.resume(tree / name) as resumed:
            assert len(resumed.samples) >= promised - 1
            for one in resumed.samples:
                assert (tree / name / str(one.raw)).read_text() == f"raw output {one.repetition}"
    assert tried > 20
