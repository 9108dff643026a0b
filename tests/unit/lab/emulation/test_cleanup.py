"""Taking labs off: what is asked of Docker, and what becomes of the records."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from lab.emulation import cleanup, ownership
from lab.emulation.builder import NETNS_MOUNT
from lab.emulation.cleanup import processes
from lab.emulation.ownership import FOLDER_LABEL, LABEL, MARK_LABEL
from lab.emulation.registry import HostRecord, Record, read, records
from lab.errors import MachineError
from lab.events import silent
from lab.hosts.host import Result
from lab.images.builders import BUILD
from lab.util.locks import machine_lock
from tests.paths import ROOT

pytestmark = pytest.mark.usefixtures("own_folders")


class Docker:
    """Answers as Docker's client would; `left` are the containers that it has."""

    def __init__(self, left: list[str], said: str = "") -> None:
        self.left, self.said, self.ran = left, said, list[tuple[str, ...]]()

    async def __call__(self, argv: Sequence[str], **_: Any) -> Result:
        self.ran.append(tuple(argv))
        out, status = "", 0
        if argv[1] == "ps":
            out = "\n".join(self.left)
        elif argv[1] == "inspect":
            out = "".join(f"0 id-{name}\n" for name in argv[4:])
        elif argv[1] == "rm" and self.said:
            status = 1
        elif argv[1] == "rm":
            self.left = [name for name in self.left if name not in argv]
        return Result(tuple(argv), status, out, self.said if argv[1] == "rm" else "", 0.0)


class Kernel:
    """Answers as `ip` would: what it said of deleting each link, "" where it did."""

    def __init__(self, **said: str) -> None:
        self.said, self.ran = said, list[tuple[str, ...]]()

    async def __call__(self, argv: Sequence[str], **_: Any) -> Result:
        self.ran.append(tuple(argv))
        said = self.said.get(argv[-1].replace("-", "_"), "")
        return Result(tuple(argv), 1 if said else 0, "", said, 0.0)


def lost(hosts: int) -> Record:
    record = Record("dead", "class", boot="another")
    record.hosts = [HostRecord(f"h{n}", n + 1, "AMS", (), f"lab-dead-h{n}", "", 1, 1) for n in range(hosts)]
    record.save()
    return record


async def test_what_a_restart_left_is_removed_with_its_record() -> None:
    record = lost(20)
    docker = Docker([host.container for host in record.hosts])
    done = await cleanup.remove_lost(record, docker)
    assert (len(done), docker.left, read("dead")) == (20, [], None)
    removals = [argv for argv in docker.ran if argv[1] == "rm"]
    assert len(removals) == cleanup.AT_ONCE


async def test_a_container_that_stays_is_told_and_the_record_stays_too() -> None:
    record = lost(1)
    with pytest.raises(MachineError, match="device or resource busy; run 'lab cleanup' again"):
        await cleanup.remove_lost(record, Docker(["lab-dead-h0"], "Error: device or resource busy"))
    assert read("dead") == record


async def test_a_container_that_went_by_itself_is_no_error() -> None:
    await cleanup.remove_lost(lost(1), Docker(["lab-dead-h0"], "Error: No such container: lab-dead-h0"))
    assert read("dead") is None


def sleeper(**env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env=env)


async def test_light_hosts_are_removed_by_their_processes_and_docker_is_not_asked() -> None:
    state = ownership.LabState.create()
    with sleeper(LAB_ID=state.mark, HOSTNAME="AMS") as going, sleeper(LAB_ID=state.mark) as staying:
        hosts = [HostRecord("AMS", 1, "AMS", (), "", "", going.pid, 1)]
        docker = Docker([])
        assert await cleanup.remove_hosts(state, hosts, docker) == [f"process {going.pid}"]
        assert (going.wait(10), staying.poll(), docker.ran) == (-9, None, [])
        assert await cleanup.remove_hosts(state, [], docker) == []
        assert staying.poll() is None
        assert await cleanup.remove(state, docker) == [f"process {staying.pid}"]
        assert (staying.wait(10), docker.ran) == (-9, [])


async def test_a_link_in_this_machines_own_network_is_deleted_by_its_name() -> None:
    """It was left to the kernel, which takes a namespace down after `ip netns delete` has ended."""
    lab = ownership.LabState.create()
    for number in range(3):
        lab.record("link", f"sap-{number}")
    kernel = Kernel(sap_1='Cannot find device "sap-1"', sap_2="RTNETLINK answers: No such device")
    assert await cleanup.remove(lab, kernel) == ["link sap-0"]
    assert kernel.ran == [("ip", "link", "delete", f"sap-{number}") for number in range(3)]
    assert ownership.labs() == []


@pytest.mark.parametrize(("mounted", "umounts"), [(True, 1), (False, 0)])
async def test_a_folder_that_is_bound_to_itself_is_unmounted(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool, umounts: int
) -> None:
    """`ip netns add` makes such a mount, which `os.path.ismount` does not tell from a folder."""
    folder, mounts = own_folders / "netns", own_folders / "mounts"
    folder.mkdir()
    mounts.write_text(f"/dev/vda {folder if mounted else '/'} ext4 rw 0 0\n")
    monkeypatch.setattr(ownership, "MOUNTS", mounts)
    lab = ownership.LabState.create()
    lab.record("mount", str(folder))
    kernel = Kernel()
    await cleanup.remove(lab, kernel)
    assert kernel.ran == [("umount", str(folder))] * umounts


async def test_a_link_that_stays_is_told_and_the_record_stays_too() -> None:
    lab = ownership.LabState.create()
    lab.record("link", "sap-0")
    with pytest.raises(
        MachineError, match=r"link sap-0 cannot be removed: .* not permitted; run 'lab cleanup'"
    ):
        await cleanup.remove(lab, Kernel(sap_0="RTNETLINK answers: Operation not permitted"))
    assert [found.lab_id for found in ownership.labs()] == [lab.lab_id]


def test_a_lab_is_removed_by_a_process_of_its_own(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in a string: a program that ends starts it."""
    monkeypatch.setenv("LAB_RUN_DIR", str(own_folders / "run"))
    monkeypatch.setenv("LAB_STATE_DIR", str(own_folders / "state"))
    lab = ownership.LabState.create()
    Record(lab.lab_id, "class").save()
    cleanup.remove_in_subprocess(lab.lab_id)
    assert (ownership.labs(), read(lab.lab_id)) == ([], None)


def test_orphans_are_found_by_the_id_in_their_environment() -> None:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "LAB_ID": "test-orphan"}) as orphan:
        deadline = monotonic() + 10
        # a program has its environment a moment after it has begun
        while not (found := processes("test-orphan")) and monotonic() < deadline:
            pass
        orphan.kill()
    assert [p.pid for p in found] == [orphan.pid]
    assert processes("test-orph") == []


class LabelledDocker(Docker):
    """Docker with containers that have labels, and that it lists by these alone."""

    def __init__(self, **labels: dict[str, str]) -> None:
        super().__init__(list(labels))
        self.labels = labels

    async def __call__(self, argv: Sequence[str], **options: Any) -> Result:
        result = await super().__call__(argv, **options)
        if argv[1] != "ps":
            return result
        wanted = {word.removeprefix("label=") for word in argv if word.startswith("label=")}
        found = [n for n in self.left if wanted <= {f"{k}={v}" for k, v in self.labels[n].items()}]
        marked = MARK_LABEL in argv[argv.index("--format") + 1]
        lines = [f"{name} {self.labels[name].get(MARK_LABEL, '')}" if marked else name for name in found]
        return Result(tuple(argv), 0, "\n".join(lines), "", 0.0)


async def test_containers_of_a_lab_without_a_record_are_removed_by_their_labels_alone() -> None:
    # given a lab that is up, one whose records are lost, and containers of others
    up, lost = ownership.LabState.create(), ownership.LabState.create()
    other = {**lost.labels, FOLDER_LABEL: "/another/folder"}
    unmarked = {FOLDER_LABEL: lost.labels[FOLDER_LABEL]}
    docker = LabelledDocker(
        up=up.labels, gone=lost.labels, other=other, foreign={"lab.id": lost.lab_id}, unmarked=unmarked
    )
    lost.forget()
    assert await cleanup.remove_orphans(docker) == ["container gone"]
    assert docker.left == ["up", "other", "foreign", "unmarked"]


async def test_the_container_of_a_build_that_was_killed_goes_and_one_of_a_build_under_way_stays(
    own_folders: Path,
) -> None:
    """A killed Docker daemon leaves one, and nothing else of the lab is known of it."""
    step, done = {BUILD: str(own_folders / "state")}, {BUILD: "done"}
    docker = LabelledDocker(step=step, users=done, other={BUILD: "/another/folder"})
    with machine_lock("images", silent, "building images"):
        assert await cleanup.remove_orphans(docker) == []
    assert await cleanup.remove_orphans(docker) == ["container step"]
    assert docker.left == ["users", "other"]


async def test_what_a_restart_left_of_a_lab_in_the_records_is_not_taken_for_lost() -> None:
    state = ownership.LabState.create()
    Record(state.lab_id, "class", boot="another", mark=state.mark).save()
    docker = LabelledDocker(kept=state.labels)
    state.forget()
    assert await cleanup.remove_orphans(docker) == []


async def test_a_lab_whose_record_is_empty_is_removed_by_its_id_and_the_record_is_named(
    own_folders: Path,
) -> None:
    state = ownership.LabState.create()
    docker = LabelledDocker(one=state.labels, other={**state.labels, LABEL: "ffff"})
    state.forget()
    file = own_folders / "state" / "labs" / f"{state.lab_id}.json"
    file.parent.mkdir(parents=True)
    file.touch()
    [record] = records()
    done = await cleanup.remove_lost(record, docker)
    assert done == [
        "container one",
        f"the record of lab {state.lab_id}, which was damaged: {file} is empty",
    ]
    assert (docker.left, file.exists()) == (["other"], False)


async def test_a_process_with_the_number_of_one_that_a_container_had_is_left_alone() -> None:
    lab = ownership.LabState.create()
    lab.record("container", "one")

    class Reused(Docker):
        async def __call__(self, argv: Sequence[str], **options: Any) -> Result:
            result = await super().__call__(argv, **options)
            shown = f"{bystander.pid} 0123456789abcdef\n"
            return Result(result.argv, 0, shown, "", 0.0) if argv[1] == "inspect" else result

    with sleeper() as bystander:
        docker = Reused(["one"])
        await cleanup.remove_containers(lab, ["one"], docker)
        assert (docker.left, bystander.poll()) == ([], None)
        bystander.kill()


async def test_a_process_that_says_only_the_short_id_of_a_lab_is_left_alone() -> None:
    lab = ownership.LabState.create()
    with sleeper(LAB_ID=lab.lab_id) as bystander:
        assert await cleanup.remove(lab, Docker([])) == []
        assert bystander.poll() is None
        bystander.kill()


async def test_a_folder_that_somebody_else_uses_too_stays_mounted(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mounts = own_folders / "netns", own_folders / "mounts"
    folder.mkdir()
    (folder / "somebody").touch()
    mounts.write_text(f"/dev/vda {folder} ext4 rw 0 0\n")
    monkeypatch.setattr(ownership, "MOUNTS", mounts)
    lab = ownership.LabState.create()
    lab.record("mount", str(folder))
    kernel = Kernel()
    assert await cleanup.remove(lab, kernel) == []
    assert kernel.ran == []


async def test_a_container_that_docker_was_still_making_is_removed_too() -> None:
    class Late(Docker):
        """Has the container only after it was asked for once."""

        async def __call__(self, argv: Sequence[str], **more: Any) -> Result:
            result = await super().__call__(argv, **more)
            if len(self.ran) == 1:
                self.left = ["lab-x-AMS"]
            return result

    lab, docker = ownership.LabState.create(), Late([])
    lab.record("container", "lab-x-AMS")
    assert await cleanup.remove(lab, docker) == ["container lab-x-AMS"]
    assert docker.left == []


async def test_containers_are_asked_for_by_the_label_of_their_lab_and_only_recorded_ones_go() -> None:
    lab, docker = ownership.LabState.create(), Docker(["lab-x-AMS", "lab-x-other"])
    lab.record("container", "lab-x-AMS")
    mark = lab.mark
    await cleanup.remove(lab, docker)
    listing = ("docker", "ps", "--all", "--no-trunc", "--format", "{{.Names}}")
    assert docker.ran[0] == (*listing, "--filter", f"label={MARK_LABEL}={mark}")
    assert docker.ran[1] == ("docker", "inspect", "--format", "{{.State.Pid}} {{.Id}}", "lab-x-AMS")
    assert docker.ran[2] == ("docker", "rm", "--force", "--volumes", "lab-x-AMS")
    assert docker.left == ["lab-x-other"]


async def test_a_docker_that_does_not_answer_is_told_and_the_record_stays() -> None:
    async def dead(argv: Sequence[str], *, check: bool = True, **_: Any) -> Result:
        assert not check
        return Result(tuple(argv), 1, "", "Cannot connect", 0.0)

    lab = ownership.LabState.create()
    lab.record("container", "lab-x-AMS")
    with pytest.raises(MachineError, match="the containers of a lab cannot be removed; start it"):
        await cleanup.remove(lab, dead)
    assert [found.lab_id for found in ownership.labs()] == [lab.lab_id]


async def test_namespaces_go_and_such_as_are_gone_are_not_asked_for(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "NAMESPACES", own_folders)
    (own_folders / "lab-x").touch()
    lab, kernel = ownership.LabState.create(), Kernel()
    for name in ("lab-x", "lab-gone"):
        lab.record("namespace", name)
    assert await cleanup.remove(lab, kernel) == ["namespace lab-x"]
    assert kernel.ran == [("ip", "netns", "delete", "lab-x")]


async def test_one_lab_that_fails_does_not_keep_the_others() -> None:
    stays, goes = ownership.LabState.create(), ownership.LabState.create()
    stays.record("link", "sap-0")
    goes.record("link", "sap-1")
    done, failed = await cleanup.remove_all([stays, goes], Kernel(sap_0="Operation not permitted"))
    assert (done, [type(one) for one in failed]) == (["link sap-1"], [MachineError])
    assert [one.lab_id for one in ownership.labs()] == [stays.lab_id]


async def test_both_records_of_a_lab_go_when_all_else_has_gone() -> None:
    state = ownership.LabState.create()
    Record(state.lab_id, "class").save()
    assert await cleanup.remove(state, Docker([])) == []
    assert (read(state.lab_id), ownership.labs()) == (None, [])


def waiting(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE)


async def test_what_docker_keeps_beside_a_container_goes_with_it_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Docker daemon that was killed had lost sight of six of them."""
    program = tmp_path / "containerd-shim-runc-v2"
    shutil.copy("/bin/sh", program)
    wait = ["-c", "read word"]
    argvs = [[str(program), *wait, "-id", f"id-{name}"] for name in ("removed", "recorded", "other")]
    running = [waiting(argv) for argv in [*argvs, ["sh", *wait, "-id", "id-removed"]]]
    try:
        monkeypatch.setattr(cleanup, "SHIM_PATIENCE", 0.05)
        deadline = monotonic() + 10
        while len(cleanup.shims(["id-removed", "id-recorded", "id-other"])) < 3 and monotonic() < deadline:
            pass
        state = ownership.LabState.create()
        state.record("container", "removed")
        record = Record(state.lab_id, "class")
        record.hosts = [HostRecord("h", 1, "AMS", (), "recorded", "id-recorded", 1, 1)]
        record.save()
        done = await cleanup.remove(state, Docker(["removed"]))
        assert [words.split(" ")[0] for words in done] == ["container", "process", "process"]
        assert [process.wait(10) for process in running[:2]] == [-9, -9]
        assert [process.poll() for process in running[2:]] == [None, None]
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.parametrize("damaged", [False, True])
async def test_what_a_lost_lab_has_in_run_goes_with_its_record(own_folders: Path, damaged: bool) -> None:
    state = ownership.LabState.create()
    Record(state.lab_id, "class", boot="another", mark=state.mark).save()
    if damaged:
        (own_folders / "state" / "labs" / f"{state.lab_id}.json").write_text("")
    [record] = records()
    await cleanup.remove_lost(record, Docker([]))
    assert (ownership.labs(), records()) == ([], [])


async def test_containers_of_a_lab_of_an_older_version_are_asked_for_by_its_id() -> None:
    """It has no mark."""
    docker, old = Docker([]), ownership.LabState("0ld0")
    assert await cleanup.remove_containers(old, ["c"], docker) == []
    assert docker.ran[0][-1] == f"label={LABEL}=0ld0"
    assert len(docker.ran) == 1, "where none is there, none is removed"


async def test_processes_that_do_not_end_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = ownership.LabState.create()
    monkeypatch.setattr(cleanup, "PATIENCE", 0.0)
    monkeypatch.setattr(cleanup, "EACH", 0.03)
    monkeypatch.setattr(ownership.Process, "kill", lambda self: None)
    with sleeper(LAB_ID=lab.mark) as one, sleeper(LAB_ID=lab.mark) as other:
        both = sorted([one.pid, other.pid])
        deadline = monotonic() + 10
        while len(processes(lab.lab_id)) < 2 and monotonic() < deadline:
            pass
        began = monotonic()
        with pytest.raises(MachineError, match=rf"processes \[{both[0]}, {both[1]}\] of lab {lab.lab_id}"):
            await cleanup.end_processes(lab)
        assert monotonic() - began >= 0.06
        one.kill()
        other.kill()


async def test_only_the_first_process_of_a_container_that_still_has_it_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = ownership.LabState.create()

    class Running(Docker):
        async def __call__(self, argv: Sequence[str], **options: Any) -> Result:
            result = await super().__call__(argv, **options)
            shown = f"{first.pid} 0123456789abcdef\n"
            return Result(result.argv, 0, shown, "", 0.0) if argv[1] == "inspect" else result

    monkeypatch.setattr(cleanup, "control_groups", lambda pid: "0::/docker/0123456789abcdef\n")
    with sleeper() as first:
        await cleanup.remove_containers(lab, ["one"], Running(["one"]))
        assert first.wait(10) == -9


async def test_a_host_without_a_container_ends_nothing_of_docker_s(tmp_path: Path) -> None:
    """Its container has no id, and every command line ends in nothing."""
    program = tmp_path / "containerd-shim-runc-v2"
    shutil.copy("/bin/sh", program)
    foreign = waiting([str(program), "-c", "read word", "-id", "id-foreign"])
    try:
        deadline = monotonic() + 10
        while not cleanup.shims(["id-foreign"]) and monotonic() < deadline:
            pass
        state = ownership.LabState.create()
        record = Record(state.lab_id, "class")
        record.hosts = [HostRecord("h", 1, "AMS", (), "", "", 1, 1)]
        record.save()
        assert await cleanup.remove(state, Docker([])) == []
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


async def test_what_docker_keeps_beside_a_container_may_end_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "SHIM_PATIENCE", 30.0)
    program = tmp_path / "containerd-shim-runc-v2"
    shutil.copy("/bin/sh", program)
    shim = waiting([str(program), "-c", "read word", "-id", "id-c"])
    deadline = monotonic() + 10
    while not cleanup.shims(["id-c"]) and monotonic() < deadline:
        pass
    ending = asyncio.ensure_future(cleanup._end_shims(["id-c"]))
    await asyncio.sleep(0.05)
    assert not ending.done()
    shim.communicate(b"\n")
    assert await asyncio.wait_for(ending, 10) == []


def test_a_program_that_ends_removes_its_lab_from_where_the_lab_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Any]()
    monkeypatch.setattr(cleanup.subprocess, "run", lambda argv, **how: asked.append((argv, how)))
    cleanup.remove_in_subprocess("1a2b")
    argv = [sys.executable, "-m", "lab.emulation.cleanup", "1a2b"]
    assert asked == [(argv, {"cwd": ROOT, "check": False})]


async def test_containers_are_removed_side_by_side_each_once() -> None:
    docker = Docker([f"c{n}" for n in range(11)])
    lab = ownership.LabState.create()
    assert len(await cleanup.remove_containers(lab, [f"c{n}" for n in range(11)], docker)) == 11
    removed = [argv[4:] for argv in docker.ran if argv[1] == "rm"]
    assert sorted(len(names) for names in removed) == [1] * 5 + [2] * 3
    assert sorted(name for names in removed for name in names) == sorted(f"c{n}" for n in range(11))


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (
            1,
            "Error: No such container: a\nError: busy \n",
            "a or another container cannot be removed: Error: busy;",
        ),
        (1, "Error: No such container: a\n", ""),
        (0, "a warning\n", ""),
    ],
)
async def test_what_docker_says_of_a_removal(status: int, said: str, words: str) -> None:
    async def run(argv: Sequence[str], **options: Any) -> Result:
        assert options == {"check": False, "timeout": 120}
        return Result(tuple(argv), status, "", said, 0.0)

    if words:
        with pytest.raises(MachineError, match=words):
            await cleanup._delete(["a", "b"], run)
    else:
        await cleanup._delete(["a", "b"], run)


def test_namespaces_are_where_ip_keeps_them() -> None:
    assert str(cleanup.NAMESPACES) == NETNS_MOUNT == "/run/netns"
