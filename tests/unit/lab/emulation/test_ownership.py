"""The record of what a lab owns: written before, read by whoever cleans up."""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
from pathlib import Path

import pytest

from lab.emulation.ownership import LabState, Process, labs, processes_with, remove_unfinished

pytestmark = pytest.mark.usefixtures("own_folders")


def test_objects_come_back_in_the_order_in_which_they_were_recorded() -> None:
    made = LabState.create()
    made.record("container", "lab-x-AMS")
    made.record("namespace", "lab-x")
    again = LabState(made.lab_id)
    assert again.owned() == ["lab-x-AMS", "lab-x"]
    assert (again.owned("container"), again.owned("namespace")) == (["lab-x-AMS"], ["lab-x"])
    assert again.owned("mount") == []


def test_a_line_that_a_kill_cut_off_counts_as_nothing() -> None:
    made = LabState.create()
    made.record("container", "lab-x-AMS")
    with (made.folder / "state.jsonl").open("a") as file:
        file.write('{"kind": "contai')
    assert made.owned() == ["lab-x-AMS"]


def test_two_labs_never_share_an_id() -> None:
    assert len({LabState.create().lab_id for _ in range(50)}) == 50


def test_a_lab_is_alive_as_long_as_its_owner_is() -> None:
    made = LabState.create()
    assert made.alive()
    with subprocess.Popen(["sleep", "60"]) as other:
        made.own(other.pid)
        assert made.alive()
        other.kill()
    assert not made.alive()


def test_a_process_number_that_was_given_again_is_not_the_owner() -> None:
    me = Process.of(os.getpid())
    assert me.alive()
    assert not Process(me.pid, me.started - 1).alive()


def test_a_process_is_killed_and_one_that_took_its_number_is_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        process = Process.of(other.pid)
        Process(process.pid, process.started - 1).kill()
        assert process.alive()
        process.kill()
        assert other.wait(10) == -9
        process.kill()
    Process(0, 0).kill()


def test_processes_are_found_by_one_variable_and_by_one_of_several() -> None:
    """No others are not the same as any: a lab was once killed for none of its hosts."""
    made = {}
    for name in ("AMS", "PRG"):
        made[name] = subprocess.Popen(["sleep", "60"], env={"LAB_ID": "t3st", "HOSTNAME": name})
    try:

        def found(one_of: list[str] | None) -> set[int]:
            return {process.pid for process in processes_with("LAB_ID=t3st", one_of)}

        assert found(None) == {one.pid for one in made.values()}
        assert found(["HOSTNAME=PRG", "HOSTNAME=MIL"]) == {made["PRG"].pid}
        assert found([]) == set()
    finally:
        for one in made.values():
            one.kill()
            one.wait()


def test_forgetting_the_last_lab_leaves_no_folder(own_folders: Path) -> None:
    one, two = LabState.create(), LabState.create()
    one.forget()
    assert [lab.lab_id for lab in labs()] == [two.lab_id]
    two.forget()
    assert not (own_folders / "run").exists()


def test_a_lab_that_is_kept_lives_without_an_owner() -> None:
    made = LabState.create()
    made.keep()
    assert made.alive()
    assert made.stays()
    assert made.owner() is None


def test_a_lab_is_never_seen_without_its_owner_while_it_begins() -> None:
    """Its folder was there a moment before its owner was: `cleanup` took it for dead."""
    seen, ends = list[bool](), threading.Event()

    def watch() -> None:
        while not ends.is_set():
            seen.extend(state.alive() or not state.folder.exists() for state in labs())

    watching = threading.Thread(target=watch)
    watching.start()
    for _ in range(200):
        LabState.create().forget()
    ends.set()
    watching.join()
    assert all(seen)


def test_what_a_killed_process_had_begun_of_a_lab_is_removed_and_no_lab(own_folders: Path) -> None:
    begun = own_folders / "run" / "labs"
    live = begun / f".{os.getpid()}.{Process.of(os.getpid()).started}.1"
    (begun / ".1.1.1").mkdir(parents=True)
    live.mkdir()
    assert labs() == []
    remove_unfinished()
    assert list(begun.iterdir()) == [live]


def test_an_id_of_which_there_is_a_record_is_not_given_again(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folders / "state" / "labs").mkdir(parents=True)
    (own_folders / "state" / "labs" / "aaaa.json").touch()
    taken = LabState.create()
    ids = iter(["aaaa", taken.lab_id, "bbbb"])
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(ids) if size == 2 else "f" * 32)
    assert LabState.create().lab_id == "bbbb"


def test_the_mark_of_a_lab_cannot_be_guessed_and_outlives_its_folder() -> None:
    made = LabState.create()
    again = LabState(made.lab_id)
    assert made.environment == again.environment == {"LAB_ID": made.mark}
    assert len(made.mark.removeprefix(f"{made.lab_id}-")) == 32
    known = LabState(made.lab_id, made.mark)
    made.forget()
    assert known.mark == made.mark
    assert LabState("0ld0").mark == "0ld0"
