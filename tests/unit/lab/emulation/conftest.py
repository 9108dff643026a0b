"""Records of labs in folders of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.util import paths


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr("lab.util.locks.STATE", tmp_path / "state")
    return tmp_path
