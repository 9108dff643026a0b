"""Lines that say that virtual time moves."""

from __future__ import annotations

import time

import pytest

from lab.virtual import beats
from lab.virtual.beats import BEAT


def test_beats_come_by_themselves_and_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats, "INTERVAL", 0.01)
    beat = beats.begin()
    time.sleep(0.05)
    monkeypatch.setattr(beats, "INTERVAL", 3600.0)
    beat()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert all(line.startswith(BEAT) for line in lines)
