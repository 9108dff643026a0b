"""The record of labs: by it another process takes one up, also after a restart of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.emulation import registry as module
from lab.emulation.emulation import Emulation
from lab.emulation.ownership import LabState
from lab.emulation.registry import HostRecord, OverlayRecord, Record, claim, find, read, records
from lab.errors import LabError, UnknownName
from lab.events import Event, Note
from lab.util import paths
from lab.util.locks import turn
from tests.paths import ROOT
from topologies import ring


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr("lab.util.locks.STATE", tmp_path / "state")
    return tmp_path


def a_lab(name: str = "class") -> Record:
    """The record of a ring whose hosts are this very process."""
    topology = ring.topology().pinned()
    made = claim(LabState.create().lab_id, name)
    me = ownership.Process.of(os.getpid())
    made.topology, made.shaper = json.loads(json.dumps(topology.to_dict())), "netem"
    made.hosts = [
        HostRecord(
            h.name, h.number, h.site, topology.addresses(h.name), f"lab-x-{h.name}", "id", me.pid, me.started
        )
        for h in topology.hosts
    ]
    made.links = json.loads(json.dumps([asdict(link) for link in topology.links]))
    made.overlays = [OverlayRecord("weave:mode=sleeve", ("AMS",), {"mode": "sleeve"}, ({"host": "AMS"},))]
    made.save()
    return made


def test_what_was_written_is_read_back() -> None:
    made = a_lab()
    assert read(made.lab_id) == made


def test_a_lab_is_found_by_name_by_id_and_by_being_the_only_one() -> None:
    made = a_lab()
    assert find("class") == find(made.lab_id) == find() == made


def test_a_lab_that_is_not_there_is_told_with_the_nearest_name() -> None:
    a_lab()
    with pytest.raises(UnknownName, match="did you mean 'class'"):
        find("clas")


def test_of_several_labs_one_has_to_be_named() -> None:
    a_lab("one"), a_lab("two")
    with pytest.raises(LabError, match="name one of one, two"):
        find()


def test_two_labs_cannot_have_one_name() -> None:
    a_lab()
    with pytest.raises(LabError, match="a lab class is up already"):
        claim(LabState.create().lab_id, "class")


@pytest.mark.parametrize("name", ["-x", "a b", "a/b", "x" * 70])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="no name of a lab"):
        claim(LabState.create().lab_id, name)


def test_another_process_takes_a_lab_up_with_all_that_it_has() -> None:
    made = a_lab()
    lab = Emulation.attach("class")
    assert lab.topology == ring.topology().pinned()
    assert list(lab.hosts) == [host.name for host in made.hosts]
    assert lab.hosts["AMS"].addresses == ring.topology().addresses("AMS")
    assert tuple(lab.links) == ring.topology().links
    assert lab.shaper.name == "netem"


def test_a_lab_from_before_a_restart_of_the_machine_is_known_and_not_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = a_lab()
    made.state.keep()
    assert made.state.alive()
    monkeypatch.setattr(module, "boot_id", lambda: "another")
    monkeypatch.setattr(ownership, "boot_id", lambda: "another")
    assert [one.name for one in records() if one.rebooted] == ["class"]
    assert not made.state.alive()
    with pytest.raises(LabError, match="ended when this machine was restarted"):
        Emulation.attach("class")


def test_a_lab_that_is_kept_lives_without_an_owner() -> None:
    made = LabState.create()
    made.keep()
    assert made.alive()
    assert made.stays()
    assert made.owner() is None


HOLD = """
import sys, time
from pathlib import Path
from lab.events import silent
from lab.util.locks import turn
with turn(Path(sys.argv[1]), "class", silent):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_command_on_a_lab_says_who_has_it_and_waits(own_folders: Path) -> None:
    # given a command that holds a lab
    folder = a_lab().state.folder
    argv = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        first.stdout.readline()
        said: list[Event] = []

        def told(event: Event) -> None:
            said.append(event)
            first.stdin.close()  # type: ignore[union-attr]

        # when a second one wants it, then it is told of the first, and gets the lab when that one ends
        with turn(folder, "class", told):
            assert first.wait(10) == 0
    (note,) = said
    assert isinstance(note, Note)
    assert f"process {first.pid}" in note.text


def test_who_waited_for_a_lab_that_was_taken_down_is_told(own_folders: Path) -> None:
    made = a_lab()
    folder = made.state.folder
    argv = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()

        def told(_: Event) -> None:
            made.state.forget()
            first.stdin.close()  # type: ignore[union-attr]

        with pytest.raises(LabError, match="taken down meanwhile"), turn(folder, "class", told):
            time.sleep(0)
