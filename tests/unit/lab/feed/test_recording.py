"""The recording of a run: written, cut off, taken up again, read while it grows."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.errors import RunError
from lab.feed import recording
from lab.feed.recording import NAME, RecordingFile, RecordingReader


def event(number: int) -> dict[str, Any]:
    return {"v": 1, "t": float(number), "kind": "event", "level": "info", "text": f"<b>{number}</b>"}


def write(folder: Path, first: int, count: int) -> None:
    made = RecordingFile(folder)
    for number in range(first, first + count):
        made.write([event(number)])
        made.flush()
    made.close()


def test_a_recording_is_read_while_it_grows(tmp_path: Path) -> None:
    made = RecordingFile(tmp_path)
    reader = RecordingReader(tmp_path)
    assert list(reader.read()) == []
    made.write([event(1), event(2)])
    made.flush()
    assert list(reader.read()) == [event(1), event(2)]
    made.write([event(3)])
    made.close()
    assert list(reader.read()) == [event(3)]


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    assert gzip.decompress((tmp_path / NAME).read_bytes()).count(b"\n") == 3


def test_a_resumed_run_goes_on_in_the_same_recording(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    write(tmp_path, 3, 2)
    assert list(RecordingReader(tmp_path).read()) == [event(n) for n in (1, 2, 3, 4)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.floats(0, 1))
def test_a_recording_that_was_cut_off_anywhere_keeps_what_was_whole(tmp_path: Path, part: float) -> None:
    (tmp_path / NAME).unlink(missing_ok=True)
    write(tmp_path, 1, 30)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: round(part * len(whole))])

    kept = list(RecordingReader(tmp_path).read())
    assert kept == [event(n) for n in range(1, len(kept) + 1)]
    write(tmp_path, len(kept) + 1, 1)
    assert list(RecordingReader(tmp_path).read()) == [*kept, event(len(kept) + 1)]


@pytest.mark.parametrize(
    "data",
    [b"no gzip at all", gzip.compress(b"no json\n"), gzip.compress(b'{"v":2,"t":1,"kind":"event"}\n')],
    ids=["no gzip", "no JSON", "another version"],
)
def test_a_file_that_is_no_recording_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(RunError, match="no recording of a run"):
        list(RecordingReader(tmp_path).read())


def test_a_recording_that_unpacks_to_far_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LARGEST", 1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    line = b'{"v":1,"t":1,"kind":"event","level":"info","text":"' + b"x" * 100_000 + b'"}\n'
    data = packer.compress(line * 100) + packer.flush()
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(RunError, match="too large"):
        list(RecordingReader(tmp_path).read())


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/etc/passwd")
    with pytest.raises(RunError, match="is a link"):
        RecordingReader(tmp_path)
