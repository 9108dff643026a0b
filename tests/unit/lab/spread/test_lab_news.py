"""What a worker says of its lab, and what its client shows of that."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from lab.errors import RunError
from lab.feed.objects import Plain
from lab.feed.recording import NAME, RecordingFile
from lab.feed.watch import stamped
from lab.spread.lab_news import LabNews, MachineLabs
from tests.unit.lab.spread.fake_session import HOST, made_up_lab


@pytest.fixture
def recording(tmp_path: Path) -> RecordingFile:
    """The recording of a block in `tmp_path`."""
    (inner := tmp_path / "runs" / "inner").mkdir(parents=True)
    return RecordingFile(inner)


def test_the_last_state_of_each_thing_is_sent_once(tmp_path: Path, recording: RecordingFile) -> None:
    news, shown = LabNews(tmp_path), list[Plain]()
    labs = MachineLabs(shown.extend)
    recording.write([made_up_lab("x"), stamped("event", level="info", text="not of the lab")])
    recording.write([stamped("host", lab="x", **{**HOST, "cpu_percent": float(n)}) for n in range(1000)])
    recording.flush()
    labs.take("far", packed := news.more())
    assert [(one["kind"], one["lab"]) for one in shown] == [("lab", "far"), ("host", "far")]
    assert shown[1]["cpu_percent"] == 999.0
    assert len(packed) < 1000
    assert news.more() == b""
    recording.close()


def test_a_block_that_records_nothing_has_no_news(tmp_path: Path) -> None:
    assert LabNews(tmp_path).more() == b""
    assert LabNews(tmp_path / "none").more() == b""


def test_a_lab_that_was_lost_is_gone_once() -> None:
    shown: list[Plain] = []
    labs = MachineLabs(shown.extend)
    labs.gone("far")
    assert shown == []
    labs.take(
        "far",
        zlib.compress(
            b'{"v":1,"t":1.0,"kind":"lab","lab":"x","state":"up","topology":{"name":"",'
            b'"hosts":[],"links":[]},"shaper":"wire","clock":"real"}'
        ),
    )
    labs.gone("far")
    labs.gone("far")
    assert [one["state"] for one in shown] == ["up", "gone"]
    assert shown[0]["t"] > 1e9  # that of this machine


@pytest.mark.parametrize(
    "data",
    [b"", b"no pack", zlib.compress(b"{"), zlib.compress(b'{"kind":"lab"}'), zlib.compress(b"[]")],
)
def test_what_is_no_object_of_the_feed_is_refused(data: bytes) -> None:
    shown: list[Plain] = []
    labs = MachineLabs(shown.extend)
    if data:
        with pytest.raises(RunError, match="machine far"):
            labs.take("far", data)
    else:
        labs.take("far", data)
    assert shown == []


def test_events_and_samples_of_a_worker_are_not_shown_twice() -> None:
    shown: list[Plain] = []
    MachineLabs(shown.extend).take(
        "far", zlib.compress(b'{"v":1,"t":1.0,"kind":"event","level":"info","text":"<b>"}')
    )
    assert shown == []


def test_a_recording_that_is_none_is_an_error(tmp_path: Path, recording: RecordingFile) -> None:
    recording.close()
    (tmp_path / "runs" / "inner" / NAME).write_bytes(b"no recording")
    with pytest.raises(RunError, match="no recording"):
        LabNews(tmp_path).more()
