"""A lab as objects. Its hosts are this process, and its links are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation import ownership, registry
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.links.store import LinkStore
from lab.emulation.registry import Record
from lab.feed import hosts as feed_hosts
from lab.feed.objects import Plain, adapter
from lab.feed.watch import LabWatch
from lab.live import inspect
from lab.util import paths
from tests.unit.lab_record import a_lab


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(feed_hosts, "PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(inspect, "PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(inspect, "LOGS", str(tmp_path / "logs"))
    (tmp_path / "pids").mkdir()
    made = a_lab("class")
    made.state.keep()
    made.overlays = []
    made.save()
    folder = made.state.folder / "shaper"
    folder.mkdir()
    LinkStore(folder).save({link["name"]: state(link) for link in made.links})
    return made


def state(link: Plain) -> LinkState:
    return LinkState(link["name"], link["number"], Shape(5.0), Shape(5.0))


def looked(watch: LabWatch) -> list[Plain]:
    check = adapter()
    found = watch.look()
    for one in found:
        check.validate_python(one)
    return found


def kinds(objects: list[Plain]) -> set[str]:
    return {one["kind"] for one in objects}


def test_the_first_look_has_all_and_the_next_one_only_news(record: Record) -> None:
    watch = LabWatch("class")
    first = looked(watch)
    assert first[0]["kind"] == "lab"
    assert [host["name"] for host in first[0]["topology"]["hosts"]] == [host.name for host in record.hosts]
    assert [link["id"] for link in first[0]["topology"]["links"]] == [link["name"] for link in record.links]
    assert all(set(host["at"]) == {"structure", "map"} for host in first[0]["topology"]["hosts"])
    assert kinds(first) == {"lab", "host", "event", "machine"}
    assert kinds(looked(watch)) <= {"host", "machine"}


def test_links_that_cannot_be_read_are_said_to_be_so_once(record: Record) -> None:
    watch = LabWatch("class")
    said = [one["text"] for _ in range(3) for one in looked(watch) if one["kind"] == "event"]
    assert len(said) == 1
    assert "take the lab down" in said[0]


def test_a_daemon_that_has_ended_is_told_with_its_last_words(record: Record, tmp_path: Path) -> None:
    record.overlays = [registry.OverlayRecord("wireguard", tuple(host.name for host in record.hosts))]
    record.save()
    watch = LabWatch("class")
    overlays = [one for one in looked(watch) if one["kind"] == "overlay"]
    assert [(one["overlay"], one["state"], one["encrypted"]) for one in overlays] == [
        ("wireguard", "up", True)
    ]

    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "weaver.log").write_text("<script>alert(1)</script>\n")
    (tmp_path / "pids" / "weaver.pid").write_text("4194305\n")
    news = looked(watch)

    ended = {"name": "weaver", "state": "ended", "said": "<script>alert(1)</script>"}
    assert [one["daemons"] for one in news if one["kind"] == "host"] == [[ended]] * len(record.hosts)
    assert [one["state"] for one in news if one["kind"] == "overlay"] == ["broken"]


def test_a_lab_that_gets_other_hosts_is_told_anew(record: Record) -> None:
    watch = LabWatch("class")
    looked(watch)
    record.hosts = [replace(host, started=host.started + 1) for host in record.hosts]
    record.save()
    news = looked(watch)
    assert (news[0]["kind"], news[0]["state"]) == ("lab", "changed")
    assert not any(one["up"] for one in news if one["kind"] == "host")


def test_a_lab_that_goes_is_told_of_once(record: Record) -> None:
    watch = LabWatch("class")
    looked(watch)
    registry.forget(record.lab_id)
    assert [(one["kind"], one["state"]) for one in looked(watch)] == [("lab", "gone")]
    assert looked(watch) == []
