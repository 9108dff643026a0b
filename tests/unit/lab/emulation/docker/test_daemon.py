"""The machine's Docker daemon, without one: its command, and the snapshot of what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.docker import daemon
from lab.emulation.docker.daemon import Daemon, ExistingPaths
from lab.errors import MachineError


def test_without_the_docker_command_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where somebody's daemon served, a lab was once begun and failed on a file called docker."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MachineError, match="the command docker is not installed; 'lab doctor' says"):
        Daemon().ensure()


def test_the_labs_own_daemon_leaves_the_network_alone(tmp_path: Path) -> None:
    argv = daemon.argv(daemon.DaemonPaths(socket=tmp_path / "s"))
    assert {"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"} <= set(argv)
    assert f"--host=unix://{tmp_path}/s" in argv


def test_only_what_was_not_there_before_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "CGROUPS", tmp_path / "cgroups")
    theirs, new, busy = (tmp_path / "cgroups" / name / "docker" for name in ("cpu", "memory", "pids"))
    theirs.mkdir(parents=True)
    old = tmp_path / "exec"
    old.mkdir()
    before = ExistingPaths.among([old, *daemon.control_groups()])
    new.mkdir(parents=True)
    (busy / "container").mkdir(parents=True)
    pidfile = tmp_path / "pid"
    pidfile.touch()
    before.delete_others([], [old, pidfile, tmp_path / "never"])
    assert (theirs.exists(), new.exists(), busy.exists()) == (True, False, True)
    assert (old.exists(), pidfile.exists()) == (True, False)


def test_what_was_there_before_survives_on_disk(tmp_path: Path) -> None:
    assert ExistingPaths.read(tmp_path) is None
    ExistingPaths.among([tmp_path]).write(tmp_path)
    assert ExistingPaths.read(tmp_path) == ExistingPaths(frozenset({str(tmp_path)}))
    (tmp_path / daemon.BEFORE_FILE).write_text("half")
    assert ExistingPaths.read(tmp_path) is None
