"""The machine's Docker daemon, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.docker.daemon import Daemon
from lab.errors import MachineError


def test_without_the_docker_command_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where somebody's daemon served, a lab was once begun and failed on a file called docker."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MachineError, match="the command docker is not installed; 'lab doctor' says"):
        Daemon().ensure()
