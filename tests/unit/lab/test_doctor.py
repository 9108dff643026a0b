"""The doctor: each probe's answer comes from what was tried, with the remedy beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import doctor
from lab.doctor import Finding
from lab.errors import MachineError
from lab.hosts.host import Result

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


class Answers:
    """Runs nothing: gives the answer whose key is in the command, and notes what was asked."""

    def __init__(self, **by_word: tuple[int, str, str]) -> None:
        self.by_word, self.asked = by_word, []

    async def __call__(self, argv: Sequence[str], **_: Any) -> Result:
        self.asked.append(list(argv))
        status, out, err = next((a for word, a in self.by_word.items() if word in argv), (0, "", ""))
        return Result(tuple(argv), status, out, err, 0.0)


def only(todo: Coroutine[Any, Any, list[Finding]]) -> Finding:
    findings = asyncio.run(todo)
    assert len(findings) == 1
    return findings[0]


def test_version_1_of_control_groups_is_told_from_the_mounts() -> None:
    finding = only(doctor.control_groups(V1))
    assert (finding.state, finding.found.split()[:2]) == ("ok", ["version", "1"])


def test_a_controller_that_lacks_is_named() -> None:
    finding = only(doctor.control_groups(V1.replace("pids", "blkio")))
    assert (finding.state, finding.found) == ("missing", "version 1 without pids")


def test_version_2_is_told_by_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    assert only(doctor.control_groups(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")).state == "ok"
    (tmp_path / "cgroup.controllers").write_text("io\n")
    assert "without cpu, cpuset" in only(doctor.control_groups(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")).found


def test_no_control_groups_at_all_stop_the_lab() -> None:
    assert only(doctor.control_groups("proc /proc proc rw 0 0\n")).state == "missing"


@pytest.mark.parametrize(
    ("answer", "root", "state"),
    [
        ((0, '{"ServerVersion": "20.10.24", "Driver": "overlay2"}', ""), True, "ok"),
        ((0, '{"ServerVersion": "20.10.24", "Driver": "vfs"}', ""), True, "optional"),
        ((0, '{"ServerVersion": "26.1", "SecurityOptions": ["name=rootless"]}', ""), False, "missing"),
        ((0, '{"host": {"ociRuntime": {"name": "crun"}}}', ""), False, "missing"),
        ((1, "", "permission denied while trying to connect"), False, "unknown"),
    ],
)
def test_docker_is_asked_itself(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, str], root: bool, state: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    assert only(doctor.docker(Answers(info=answer), root)).state == state


def test_a_docker_that_systemd_has_switched_off_is_not_called_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/run/systemd/system")
    finding = only(doctor.docker(Answers(info=(1, "", "Cannot connect")), True))
    assert (finding.state, finding.remedy) == ("missing", "systemctl start docker")


def test_kinds_of_link_are_made_in_a_namespace_that_goes_with_the_command() -> None:
    run = Answers(dummy=(2, "", "Error: Unknown device type."), veth=(2, "", "no"))
    found = {f.name: f for f in asyncio.run(doctor.link_kinds(run, True))}
    assert all(argv[:2] == ["unshare", "--net"] for argv in run.asked)
    assert found["link kind vxlan"].state == "ok"
    assert found["link kind dummy"].state == "optional"
    assert found["link kind veth"].state == "missing"
    assert all(f.remedy for f in found.values() if f.state != "ok")


def test_without_root_nothing_is_guessed() -> None:
    run = Answers()
    findings = asyncio.run(doctor.link_kinds(run, False)) + asyncio.run(doctor.shapers(run, False))
    assert {(f.state, f.found) for f in findings} == {("unknown", "needs root to tell")}
    assert run.asked == []


def test_one_shaper_is_enough_and_none_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(name: str, reason: str | None) -> Any:
        async def probe(run: Any) -> str | None:
            return reason

        return type(name, (), {"name": name, "probe": staticmethod(probe)})

    monkeypatch.setattr(doctor, "SHAPERS", (kind("netem", "no"), kind("wire", None)))
    assert [f.state for f in asyncio.run(doctor.shapers(Answers(), True))] == ["optional", "ok"]
    monkeypatch.setattr(doctor, "SHAPERS", (kind("netem", "no"), kind("wire", "no")))
    assert [f.state for f in asyncio.run(doctor.shapers(Answers(), True))] == ["missing", "missing"]


def test_open_vswitch_is_the_kernels_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/sbin/{name}")
    assert only(doctor.open_vswitch(Answers(genl=(0, "Name: ovs_datapath\n", "")))).state == "ok"
    assert only(doctor.open_vswitch(Answers(genl=(255, "", "No such file")))).state == "optional"


@pytest.mark.parametrize(
    ("owners", "other", "state"),
    [
        (["overlay-lab"], False, "ok"),
        (["lab", "overlay-lab"], False, "missing"),
        ([], True, "missing"),
        ([], False, "ok"),
    ],
)
def test_another_distribution_of_the_name_is_noticed(owners: list[str], other: bool, state: str) -> None:
    assert doctor._clash(owners, other).state == state


def test_a_full_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 2**30}))
    found = asyncio.run(doctor.disk(Answers(info=(0, "/srv/docker\n", "")), [tmp_path / "not" / "there"]))
    assert [finding.state for finding in found] == ["missing", "missing"]
    assert found[0].name == "disk of /srv/docker", "where Docker says that its images are"


def test_the_name_is_made_known_to_sudo_once_and_never_takes_that_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_, program = tmp_path / "bin", tmp_path / "venv" / "lab"
    bin_.mkdir()
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor, "SUDO_FOLDERS", (str(tmp_path / "none"), str(bin_)))
    path = f"{tmp_path}/none:{bin_}"
    assert "--fix-sudo" in doctor.sudo_finds_lab(path, program).remedy
    assert doctor.fix_sudo(path, program) == bin_ / "lab"
    assert doctor.sudo_finds_lab(path, program).state == "ok"
    assert doctor.fix_sudo(path, program) == bin_ / "lab"
    (bin_ / "lab").unlink()
    (bin_ / "lab").write_text("#!/bin/sh\n")
    (bin_ / "lab").chmod(0o755)
    with pytest.raises(MachineError, match="is another program"):
        doctor.fix_sudo(path, program)
    with pytest.raises(MachineError, match="has none of"):
        doctor.fix_sudo("/sbin", program)
