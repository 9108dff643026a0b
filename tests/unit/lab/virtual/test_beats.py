"""Lines that say that virtual time moves."""

from __future__ import annotations

from threading import Event

import pytest

from lab.virtual import beats
from lab.virtual.beats import BEAT, INTERVAL


def test_beats_come_by_themselves_and_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    naps, third = list[float](), Event()

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            third.set()
            Event().wait()  # the thread beats no more

    monkeypatch.setattr(beats, "sleep", sleep)
    beat = beats.begin()
    assert third.wait(10)
    beat()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert all(line.startswith(BEAT) for line in lines)
    assert naps == [INTERVAL] * 3
