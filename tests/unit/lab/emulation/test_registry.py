"""The record of labs: by it another process takes one up, also after a restart of the machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation import ownership
from lab.emulation import registry as module
from lab.emulation.emulation import Emulation
from lab.emulation.ownership import LabState, Process
from lab.emulation.registry import HostRecord, Record, claim, find, find_any, read, records
from lab.errors import LabError, UnknownName
from lab.live.inspect import look
from lab.util import paths
from lab.util.version import number
from tests.unit.lab_record import a_lab
from tests.unit.power_cuts import PowerCuts

pytestmark = pytest.mark.usefixtures("own_folders")


def test_what_was_written_is_read_back() -> None:
    made = a_lab()
    assert read(made.lab_id) == made


def test_a_record_of_before_is_of_hosts_with_docker(own_folders: Path) -> None:
    made = a_lab()
    file = own_folders / "state" / "labs" / f"{made.lab_id}.json"
    stored = json.loads(file.read_text())
    del stored["daemons"]
    file.write_text(json.dumps(stored))
    again = read(made.lab_id)
    assert again is not None
    assert again.daemons == "docker"
    assert not any(host.light for host in again.hosts)


def test_a_record_of_another_version_that_cannot_be_read_says_whose_it_is(own_folders: Path) -> None:
    made = a_lab()
    file = own_folders / "state" / "labs" / f"{made.lab_id}.json"
    stored = json.loads(file.read_text())
    assert stored["version"] == number()
    # a newer one has a field that this one does not know
    file.write_text(json.dumps({**stored, "version": "99.0", "new": 1}))
    with pytest.raises(LabError, match=r"written by version 99\.0 of the lab, and this is .*'lab down"):
        find(made.lab_id)
    # one of this version that cannot be read is damaged, and no other version is named
    file.write_text(json.dumps({**stored, "new": 1}))
    assert find_any(made.lab_id).damaged.endswith("is not whole")
    # one of before has no version, and is read as it is
    del stored["version"]
    file.write_text(json.dumps(stored))
    assert find(made.lab_id).version == ""


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


@pytest.mark.parametrize(("keep", "words"), [(0, "is empty"), (40, "is not whole")])
def test_a_damaged_record_is_named_and_never_taken_for_a_lab_without_hosts(
    own_folders: Path, keep: int, words: str
) -> None:
    made = a_lab()
    file = own_folders / "state" / "labs" / f"{made.lab_id}.json"
    file.write_text(file.read_text()[:keep])
    [record] = records()
    assert record.damaged == f"{file} {words}"
    assert find_any(made.lab_id) == record
    for use in (find, Emulation.attach):
        with pytest.raises(LabError, match=rf"is damaged: {file} {words}; 'lab down {made.lab_id}'"):
            use(made.lab_id)
    assert look(record)["state"].startswith("its record is damaged")


def test_a_lab_with_a_damaged_record_ended_with_the_machine_if_nothing_of_it_is_in_run(
    own_folders: Path,
) -> None:
    made = a_lab()
    (own_folders / "state" / "labs" / f"{made.lab_id}.json").write_text("")
    assert not records()[0].rebooted
    made.state.forget()
    assert records()[0].rebooted


def test_after_a_power_cut_a_record_is_the_old_one_or_the_new_one(
    own_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = LabState.create()
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(paths, "STATE", disk / "lab" / "state")
    with PowerCuts(disk) as cuts:
        record = claim(state.lab_id, "class")
        cuts.promise()
        for number in range(3):
            record.shaper = f"{number}"
            record.save()
            cuts.promise()
    tried = 0
    for tree, promised in cuts.trees(tmp_path / "cut"):
        monkeypatch.setattr(paths, "STATE", tree / "lab" / "state")
        found, tried = read(state.lab_id), tried + 1
        if promised == 0 and found is None:
            continue
        assert found is not None
        assert not found.damaged
        assert int(found.shaper or -1) >= promised - 2
    assert tried > 10


def test_only_its_owner_reads_a_record(own_folders: Path) -> None:
    made = a_lab()
    assert (own_folders / "state" / "labs" / f"{made.lab_id}.json").stat().st_mode & 0o777 == 0o600


def test_a_lab_that_was_killed_at_its_very_start_is_known_by_its_id() -> None:
    state = LabState.create()
    (found,) = records()
    assert (found.lab_id, found.name, found.hosts) == (state.lab_id, state.lab_id, [])


def test_the_oldest_lab_is_first(own_folders: Path) -> None:
    for name, created in (("young", "2026-02-01"), ("old", "2026-01-01")):
        made = a_lab(name)
        made.created = created
        made.save()
    assert [one.name for one in records()] == ["old", "young"]


def test_a_lab_may_keep_its_name_and_no_other_lab_may_be_called_by_its_id() -> None:
    made = a_lab()
    assert claim(made.lab_id, "class").name == "class"
    with pytest.raises(LabError, match="is up already"):
        claim(LabState.create().lab_id, made.lab_id)


def test_the_variables_of_a_host_are_read_from_its_first_process_and_no_others() -> None:
    env = {b"A": b"1=2", b"B": b"", b"OTHER": b"\xff"}
    with subprocess.Popen(["sleep", "60"], env=env) as first:
        started = Process.of(first.pid).started
        host = HostRecord("AMS", 1, "AMS", (), "c", "id", first.pid, started, env=("A", "B", "GONE"))
        deadline = monotonic() + 10
        while not host.environment() and monotonic() < deadline:
            pass
        assert host.environment() == {"A": "1=2", "B": ""}
        assert host.process.alive()
        first.kill()
    assert host.environment() == {}


def test_a_host_without_a_container_is_light() -> None:
    assert [HostRecord("AMS", 1, "AMS", (), name, "", 1, 1).light for name in ("", "c")] == [True, False]


def test_a_record_that_is_no_text_or_no_file_is_damaged(own_folders: Path) -> None:
    made = a_lab()
    file = own_folders / "state" / "labs" / f"{made.lab_id}.json"
    file.write_bytes(b"\xff\xfe")
    [record] = records()
    assert record.damaged.startswith(f"{file} cannot be read (")
    assert (record.name, record.created) == (made.lab_id, "")
    file.unlink()
    file.mkdir()
    assert find_any(made.lab_id).damaged.startswith(f"{file} cannot be read (")


def test_without_a_lab_or_with_several_none_is_found() -> None:
    with pytest.raises(LabError, match="no lab is up here"):
        find()
    some = [Record("1", "b"), Record("2", "a")]
    with pytest.raises(LabError, match="several labs are up; name one of a, b"):
        find("", some)
    assert find("2", some) is some[1]
    assert find_any("", some[:1]) is some[0]
    with pytest.raises(UnknownName):
        find_any("c", some)


@pytest.mark.parametrize("name", ["a", "x" * 63, ".a-b_C.9"])
def test_names_of_labs(name: str) -> None:
    record = claim(LabState.create().lab_id, name, "none")
    assert (record.name, record.daemons, record.mark) == (name, "none", record.state.mark)
    assert claim(LabState.create().lab_id).name != name
