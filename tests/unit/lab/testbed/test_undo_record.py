"""The record of what was made: only whole lines count, and a file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CommandError
from lab.testbed import undo_record
from tests.unit.here import Here
from tests.unit.lab.testbed.rooted import Rooted


def test_lines_are_read_by_kind() -> None:
    made = undo_record.parse(
        "folder /run/lab\nfile /x\nimage lab/gtsperf\n"
        "rule b1 eth1\nrule b2 eth2\naddress b1 eth1 192.168.1.1/24\n"
    )
    assert made.of("folder") == {"/run/lab"}
    assert made.of("file") == {"/x"}
    assert made.of("image") == {"lab/gtsperf"}
    assert made.rules("b1") == {"eth1"}
    assert made.addresses("b1") == {("eth1", "192.168.1.1/24")}
    assert made.addresses("b2") == set()


@pytest.mark.parametrize(
    "text", ["folder /usr", "folder\n", "folder /a /b\n", "rule eth1\n", "tree /etc\n", "\n"]
)
def test_a_line_that_is_not_whole_counts_for_nothing(text: str) -> None:
    assert undo_record.parse(text) == undo_record.Made()


async def test_a_file_is_written_whole_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    await undo_record.write_whole(Here(), str(path), b"first\n")
    await undo_record.write_whole(Here(), str(path), b"\0second")
    assert path.read_bytes() == b"\0second"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


async def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    (tmp_path / "file.new").mkdir()
    with pytest.raises(CommandError):
        await undo_record.write_whole(Here(), str(path), b"second")
    assert path.read_text() == "first"


async def test_every_write_is_synced_before_and_after_it_gets_its_name(tmp_path: Path) -> None:
    host = Rooted(tmp_path)
    host.write("/var/lib/lab/x", "")
    calls = host.root / "calls"
    for name in ("sync", "mv"):
        program = host.root / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> "$ROOT/calls"\nexec /bin/{name} "$@"\n')
        program.chmod(0o755)
    await undo_record.write_whole(host, "/var/lib/lab/x", b"data")
    said = [line.replace(str(tmp_path), "") for line in calls.read_text().splitlines()]
    assert said[:3] == [
        "sync /var/lib/lab/x.new",
        "mv -f /var/lib/lab/x.new /var/lib/lab/x",
        "sync /var/lib/lab",
    ]
    assert f"sync {tmp_path.parent}" in said


async def test_files_and_images_that_are_there_are_not_noted(tmp_path: Path) -> None:
    host = Rooted(tmp_path)
    host.write("/usr/local/lib/lab/there", "")
    await undo_record.note_files(host, ["/usr/local/lib/lab/there", "/usr/local/lib/lab/new"])
    (host.root / "images").write_text("lab/gtsperf\n")
    await undo_record.note_image(host)
    (host.root / "images").write_text("other\n")
    assert undo_record.parse((await host.get(undo_record.RECORD)).decode()).lines == {
        ("file", "/usr/local/lib/lab/new")
    }
    await undo_record.note_image(host)
    assert undo_record.parse((await host.get(undo_record.RECORD)).decode()).of("image") == {"lab/gtsperf"}
