"""Files of a host, read from outside; the host is this process, whose root is this machine's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.emulation.ownership import Process
from lab.live import host_files
from tests.unit.fakes import ME

FDS = Path("/proc/self/fd")


def test_a_file_is_read_and_a_long_one_only_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("words\n")
    (tmp_path / "b.log").write_text("x" * 2 * host_files.MOST + "last")
    assert host_files.names(ME, str(tmp_path), ".log") == ["a.log", "b.log"]
    assert host_files.read_end(ME, f"{tmp_path}/a.log") == "words\n"
    end = host_files.read_end(ME, f"{tmp_path}/b.log")
    assert (len(end), end[-4:]) == (host_files.MOST, "last")
    assert host_files.read_end(ME, f"/proc/{ME.pid}/stat").startswith(f"{ME.pid} (")


def test_no_link_is_followed_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.log").write_text("words\n")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "b.log").symlink_to(tmp_path / "real" / "a.log")
    (tmp_path / "c.log").symlink_to("real/a.log")
    for path in ("folder/a.log", "b.log", "c.log"):
        assert host_files.read_end(ME, f"{tmp_path}/{path}") == ""
        with pytest.raises(OSError, match=r"leads over a link|Not a directory"):
            host_files.open_file(ME, f"{tmp_path}/{path}")
    assert host_files.names(ME, f"{tmp_path}/folder", ".log") == []


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no regular file"):
            host_files.open_file(ME, f"{tmp_path}/{name}")


def test_a_path_that_climbs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a plain path"):
        host_files.open_file(ME, f"{tmp_path}/../x")


def test_a_host_that_has_ended_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("words\n")
    gone = Process(ME.pid, ME.started + 1)
    assert host_files.names(gone, str(tmp_path), ".log") == []
    assert host_files.read_end(gone, f"{tmp_path}/a.log") == ""


def test_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("words\n")
    before = len(list(FDS.iterdir()))
    host_files.read_end(ME, f"{tmp_path}/a.log")
    host_files.read_end(ME, f"{tmp_path}/none/b.log")
    host_files.names(ME, str(tmp_path), ".log")
    assert len(list(FDS.iterdir())) == before
