"""Which log files are shown of a host, of an overlay, and of one that is recorded as it was before."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.registry import Record
from lab.errors import LabError, UnknownName
from lab.events import Event, Note
from lab.live import logs
from tests.unit.fakes import ME, lab_record


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """Two hosts on which daemons of two overlays and Docker's have written."""
    monkeypatch.setattr(logs, "LOGS", str(tmp_path))
    for name in ("flanneld", "etcd-flannel", "weaver", "dockerd"):
        (tmp_path / f"{name}.log").write_text("a line\n")
    record = lab_record(AMS=ME, PRG=ME)
    record.overlays = [replace(record.overlays[0], logs=("flanneld", "etcd-flannel"))]
    return record


def test_logs_of_what_is_not_there() -> None:
    with pytest.raises(UnknownName, match="did you mean 'flannel'"):
        logs.commands(lab_record(AMS=ME, PRG=ME), "flanell", 10, False)


def test_an_overlay_has_the_logs_of_its_own_daemons_and_no_others(lab: Record, tmp_path: Path) -> None:
    events: list[Event] = []
    shown = logs.commands(lab, "flannel", 7, True, events.append)
    assert list(shown) == [
        f"{host} {name}" for host in ("AMS", "PRG") for name in ("etcd-flannel", "flanneld")
    ]
    assert shown["AMS flanneld"][:-1] == ["tail", "-n", "7", "-F"]
    assert Path(shown["AMS flanneld"][-1]).samefile(tmp_path / "flanneld.log")
    assert events == []


def test_a_record_that_does_not_name_an_overlays_logs_has_all_of_them_shown_and_says_so(lab: Record) -> None:
    lab.overlays = [replace(lab.overlays[0], logs=None)]
    events: list[Event] = []
    shown = logs.commands(lab, "flannel", 7, False, events.append)
    assert [name for name in shown if name.startswith("AMS")] == [
        f"AMS {name}" for name in ("dockerd", "etcd-flannel", "flanneld", "weaver")
    ]
    assert events == [Note("the record of lab class does not name the logs of flannel: all are shown")]


def test_a_host_has_all_its_logs_and_an_overlay_without_daemons_has_none(lab: Record) -> None:
    assert len(logs.commands(lab, "AMS", 7, False)) == 4
    lab.overlays = [replace(lab.overlays[0], logs=())]
    with pytest.raises(LabError, match="flannel of lab class has written nothing"):
        logs.commands(lab, "flannel", 7, False)


def test_a_link_that_a_host_made_of_a_log_is_not_followed_and_named(lab: Record, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of the machine\n")
    (tmp_path / "weaver.log").unlink()
    (tmp_path / "weaver.log").symlink_to(secret)
    events: list[Event] = []
    shown = logs.commands(lab, "AMS", 7, False, events.append)
    assert list(shown) == ["AMS dockerd", "AMS etcd-flannel", "AMS flanneld"]
    assert events == [
        Note(f"AMS: weaver.log is not shown: {tmp_path}/weaver.log of a host leads over a link")
    ]


def test_a_link_that_takes_a_logs_place_later_is_not_followed(lab: Record, tmp_path: Path) -> None:
    shown = logs.commands(lab, "AMS", 7, False)
    secret = tmp_path / "secret"
    secret.write_text("a secret of the machine\n")
    (tmp_path / "weaver.log").unlink()
    (tmp_path / "weaver.log").symlink_to(secret)
    assert subprocess.run(shown["AMS weaver"], capture_output=True, check=True).stdout == b"a line\n"
