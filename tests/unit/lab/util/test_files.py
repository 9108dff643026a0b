"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import FileError
from lab.util import files


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
