"""Daemons that died, read off a host from outside; the host is this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.registry import HostRecord
from lab.live import inspect
from tests.unit.fakes import ME, lab_record


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostRecord:
    monkeypatch.setattr(inspect, "PIDS", str(tmp_path))
    monkeypatch.setattr(inspect, "LOGS", str(tmp_path))
    return lab_record(AMS=ME, PRG=ME).hosts[0]


def test_a_daemon_that_runs_is_not_dead(host: HostRecord, tmp_path: Path) -> None:
    (tmp_path / "weaver.pid").write_text(f"{ME.pid}\n")
    assert inspect.dead_daemons(host) == []
    (tmp_path / "weaver.started").write_text(f"{ME.started}\n")
    assert inspect.dead_daemons(host) == []


def test_a_daemon_whose_id_another_process_has_is_dead_with_its_last_words(
    host: HostRecord, tmp_path: Path
) -> None:
    (tmp_path / "weaver.pid").write_text(f"{ME.pid}\n")
    (tmp_path / "weaver.started").write_text(f"{ME.started + 1}\n")
    (tmp_path / "weaver.log").write_text("first\nlast\n")
    assert inspect.dead_daemons(host) == ["weaver died: last"]


def test_a_daemon_that_is_gone_is_dead_and_one_that_is_only_watched_is_not(
    host: HostRecord, tmp_path: Path
) -> None:
    (tmp_path / "weaver.pid").write_text("4194305\n")
    (tmp_path / "watch-weaver.pid").write_text("4194305\n")
    (tmp_path / "odd.pid").write_text("../../etc\n")
    assert inspect.dead_daemons(host) == ["weaver died: it said nothing"]


def test_last_words_are_not_read_over_a_link(host: HostRecord, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret of the machine\n")
    (tmp_path / "weaver.pid").write_text("4194305\n")
    (tmp_path / "weaver.log").symlink_to(tmp_path / "secret")
    assert inspect.dead_daemons(host) == ["weaver died: it said nothing"]
