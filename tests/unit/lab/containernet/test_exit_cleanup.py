"""Clean-up at the end of a script: of labs that are still up, and of no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.containernet import exit_cleanup


def test_labs_that_are_up_when_a_script_ends_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(exit_cleanup, "_running", [])
    monkeypatch.setattr(exit_cleanup, "SIGNALS", ())
    monkeypatch.setattr(exit_cleanup, "remove_in_subprocess", lambda lab_id: done.append(f"remove {lab_id}"))

    def lab(lab_id: str, is_up: bool) -> Any:
        release = lambda: done.append(f"release of {lab_id}")  # noqa: E731
        return SimpleNamespace(lab_id=lab_id, is_up=is_up, docker=SimpleNamespace(release=release))

    stopped = lab("stopped", is_up=False)
    for emulation in (lab("up", is_up=True), lab("down", is_up=False), stopped):
        exit_cleanup.register(emulation)
    exit_cleanup.unregister(stopped)
    exit_cleanup._remove_all()
    assert done == ["remove up", "release of up", "release of down"]
