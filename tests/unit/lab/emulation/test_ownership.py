"""The record of what a lab owns: written before, read by whoever cleans up."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation import ownership
from lab.emulation.ownership import (
    LabState,
    Process,
    labs,
    processes_with,
    remove_unfinished,
    start_time,
)
from tests.paths import ROOT

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


def test_the_start_time_of_a_process_is_that_of_the_kernel() -> None:
    odd = ["sh", "-c", "printf 'a) b' > /proc/$$/comm; read word"]
    with subprocess.Popen(odd, stdin=subprocess.PIPE) as other:
        begun = monotonic()
        while ") b" not in Path(f"/proc/{other.pid}/comm").read_text():
            assert monotonic() < begun + 10
        ticks = Path(f"/proc/{other.pid}/stat").read_text().rsplit(")", 1)[1].split()
        assert start_time(other.pid) == int(ticks[19]) > 0
        other.kill()
        deadline = monotonic() + 10
        while Path(f"/proc/{other.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
            assert monotonic() < deadline
        assert start_time(other.pid) is None, "a zombie is no process"
    assert start_time(other.pid) is None
    assert Process.of(other.pid).started == 0
    assert not Process(other.pid, 0).alive()


def test_the_first_process_of_the_machine_is_never_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr(os, "pidfd_open", killed.append)
    monkeypatch.setattr(Process, "alive", lambda self: True)
    for pid in (-1, 0, 1):
        Process(pid, 1).kill()
    assert killed == []


def test_the_command_of_the_owner_is_told_and_a_torn_record_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lab", "up", "ring"])
    made = LabState.create()
    assert made.command == "lab up ring"
    (made.folder / "owner.json").write_text('{"pid": 1')
    assert (made.command, made.owner(), made.stays(), made.alive()) == ("", None, False, False)


def test_a_lab_that_was_to_stay_does_not_survive_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    made = LabState.create()
    made.keep()
    monkeypatch.setattr(ownership, "boot_id", lambda: "another")
    assert not made.stays()
    monkeypatch.setattr(ownership, "boot_id", lambda: "")
    (made.folder / "owner.json").write_text('{"stays": ""}')
    assert not made.stays(), "a kernel that does not tell"


def test_mounts_are_told_by_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounts").write_text("/dev/vda / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n")
    monkeypatch.setattr(ownership, "MOUNTS", tmp_path / "mounts")
    assert ownership.mount_points() == ["/", "/run"]


def test_control_groups_are_those_of_the_process_and_none_where_it_is_gone() -> None:
    assert ownership.control_groups(os.getpid()) == Path("/proc/self/cgroup").read_text() != ""
    assert ownership.control_groups(0) == ""


def test_only_root_looks_into_the_folder_of_a_lab_and_a_new_one_owns_nothing() -> None:
    made = LabState.create()
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert made.owned() == []
    made.forget()
    assert made.owned("container") == []
    assert labs() == []


def test_a_process_that_was_started_for_a_lab_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    state = LabState.create()
    monkeypatch.delenv(ownership.VARIABLE, raising=False)
    assert LabState.around() is None
    monkeypatch.setenv(ownership.VARIABLE, state.mark)
    found = LabState.around()
    assert found is not None
    assert found.lab_id == state.lab_id
    monkeypatch.setenv(ownership.VARIABLE, f"{state.lab_id}-of-another-lab")
    assert LabState.around() is None
    state.forget()


def test_a_kernel_that_does_not_tell_its_start_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ownership.boot_id()) == 36

    def refuse(*_: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert ownership.boot_id() == ""
    assert ownership.control_groups(1) == ""


def test_a_process_that_ended_while_it_was_looked_at_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"], env={"LAB_ID": "ended"}) as one:
        deadline = monotonic() + 10
        while not processes_with("LAB_ID=ended") and monotonic() < deadline:
            pass
        monkeypatch.setattr(ownership, "start_time", lambda pid: None)
        assert processes_with("LAB_ID=ended") == []
        one.kill()


@pytest.mark.parametrize("number", [errno.EEXIST, errno.ENOTEMPTY])
def test_an_id_that_another_took_a_moment_ago_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Which of the two numbers it is depends on the file system."""
    rename, refused = Path.rename, [OSError(number, "there"), FileNotFoundError()]

    def once(path: Path, target: Path) -> Path:
        if refused:
            raise refused.pop()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", once)
    assert LabState.create().alive()
    refused.append(OSError(errno.ENOSPC, "full"))
    with pytest.raises(OSError, match="full"):
        LabState.create()


def test_what_a_lab_s_containers_and_hosts_carry(own_folders: Path) -> None:
    made = LabState.create()
    assert made.labels == {
        "lab.id": made.lab_id,
        "lab.mark": made.mark,
        "lab.state": str(own_folders / "state"),
    }
    assert made.shared(3) == made.folder / "hosts" / "3"


def test_only_folders_with_a_name_are_labs(own_folders: Path) -> None:
    ids = sorted(LabState.create().lab_id for _ in range(3))
    (own_folders / "run" / "labs" / "file").touch()
    (own_folders / "run" / "labs" / ".1.2.x").mkdir()
    assert [lab.lab_id for lab in labs()] == ids


def test_a_lab_is_owned_by_whom_it_was_given_to_and_by_no_earlier_process() -> None:
    made = LabState.create()
    assert made.owned_by(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as other:
        assert not made.owned_by(other.pid)
        made.own(other.pid)
        assert made.owner() == Process.of(other.pid)
        assert not made.owned_by(os.getpid())
        other.kill()
    made.keep()
    assert (made.owner(), made.command) == (None, "")


def test_folders_that_nobody_can_have_begun_are_removed(own_folders: Path) -> None:
    begun = own_folders / "run" / "labs"
    me = Process.of(os.getpid())
    for name in (f".{me.pid}.x.1", f".x.{me.started}.1", f".{me.pid}.{me.started - 1}.1"):
        (begun / name).mkdir(parents=True)
    remove_unfinished()
    assert list(begun.iterdir()) == []


def test_a_process_is_ended_by_the_signal_that_is_named() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        held = len(list(Path("/proc/self/fd").iterdir()))
        Process.of(other.pid).kill(signal.SIGTERM)
        assert other.wait(10) == -signal.SIGTERM
        assert len(list(Path("/proc/self/fd").iterdir())) == held, "no file stays open"


def test_mounts_and_labs_are_where_the_kernel_and_the_system_have_them() -> None:
    script = "from lab.emulation import ownership as o; print(o.MOUNTS, o.RUN, o.OWNER, o.MARK, o.VARIABLE)"
    environment = {name: value for name, value in os.environ.items() if name != "LAB_RUN_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["/proc/self/mounts", "/run/lab", "owner.json", "mark", "LAB_ID"]
