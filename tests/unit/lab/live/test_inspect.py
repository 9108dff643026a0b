"""A look at labs that are up: endpoints that are processes on their host, and daemons that died.

The host is this process.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.ownership import Process
from lab.emulation.registry import HostRecord
from lab.live import inspect
from tests.unit.fakes import ME, lab_record


@pytest.mark.parametrize(
    ("process", "state"),
    [
        (ME, "running"),
        (Process(ME.pid, ME.started + 1), "died: its process has ended"),
        (None, "gone: it was removed"),
    ],
)
def test_an_endpoint_without_docker_is_told_by_its_first_process(
    process: Process | None, state: str, tmp_path: Path
) -> None:
    # given a host whose root is this machine's, as its first process is this one
    host = replace(lab_record(AMS=ME, PRG=ME).hosts[0])
    if process:
        (tmp_path / "process").write_text(f"{process.pid} {process.started}\n")

    assert inspect.endpoint_state(host, str(tmp_path / "endpoint")) == state


@pytest.mark.parametrize("kind", ["link", "pipe", "words"])
def test_what_a_host_put_in_place_of_the_file_of_an_endpoint_is_not_followed(
    kind: str, tmp_path: Path
) -> None:
    """A link led to a file of this machine, and `lab ps` waited for ever for a pipe."""
    (tmp_path / "there").write_text(f"{ME.pid} {ME.started}\n")
    if kind == "link":
        (tmp_path / "process").symlink_to(tmp_path / "there")
    elif kind == "pipe":
        os.mkfifo(tmp_path / "process")
    else:
        (tmp_path / "process").write_text(f"../{ME.pid} {ME.started}\n")
    host = lab_record(AMS=ME, PRG=ME).hosts[0]
    assert inspect.endpoint_state(host, str(tmp_path / "endpoint")) == "gone: it was removed"


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
