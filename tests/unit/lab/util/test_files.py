"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import FileError
from lab.util import files


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_replaced_whole_with_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    files.replace(path, "né", mode=0o600)
    assert path.read_bytes() == "né".encode()
    assert mode(path) == 0o600
    files.replace(path, "new")
    assert mode(path) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_waits_for_the_disk_when_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(files.os, "fsync", synced.append)
    files.replace(tmp_path / "state.json", "new")
    assert not synced
    files.replace(tmp_path / "state.json", "newer", sync=True)
    assert len(synced) == 2  # the file, and the folder that has its name


def test_a_replacement_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.replace(path, "\ud800")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        files.replace(tmp_path / "folder", "x")
    assert path.read_text() == "old"
    assert {one.name for one in tmp_path.iterdir()} == {"state.json", "folder"}


def test_files_are_written_with_the_users_permissions_and_overwritten_only_by_force(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    before = os.umask(0o027)
    try:
        files.write({one: b"1", other: b"2"})
    finally:
        os.umask(before)
    assert mode(one) == 0o640
    with pytest.raises(FileError, match="b exist; --force overwrites"):
        files.write({one: b"3", other: b"4"})
    assert one.read_bytes() == b"1"
    files.write({one: b"3", other: b"4"}, force=True)
    assert (one.read_bytes(), other.read_bytes()) == (b"3", b"4")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_files_are_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        files.write({tmp_path / "a": b"1", tmp_path / "gone" / "b": b"2"})
    assert list(tmp_path.iterdir()) == []

    # somebody makes the file between the look and the write
    monkeypatch.setattr(files.os.path, "lexists", lambda _: False)
    (tmp_path / "a").write_text("theirs")
    with pytest.raises(FileError, match="exists; --force overwrites"):
        files.write({tmp_path / "a": b"1"})
    assert (tmp_path / "a").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
