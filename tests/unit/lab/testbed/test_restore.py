"""What is taken off a machine, and what stays: nothing goes that was not noted as the lab's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import HostError
from lab.testbed import dataplane, port_mapping, restore, survey, undo_record
from lab.testbed.reservation import FOLDER
from tests.unit.lab.testbed.machines import CHAIN, PORTS
from tests.unit.lab.testbed.rooted import Rooted
from tests.unit.power_cuts import PowerCuts

ENDS = [end for end in port_mapping.link_ends(CHAIN, PORTS) if end.host == "AMS"]
ADDRESS = ENDS[0].with_length
RULE = "-A FORWARD -i eth1 -j ACCEPT"


@pytest.fixture
def host(tmp_path: Path) -> Rooted:
    return Rooted(tmp_path)


async def prepare(host: Rooted) -> None:
    """Do what `prepare` and a run do on a machine."""
    found = await survey.survey(host)
    host.write(f"{FOLDER}/claim.json", "{}")
    await restore.keep_first_survey(host, found)
    await undo_record.note_image(host)
    (host.root / "images").write_text("lab/gtsperf\nother\n")
    await restore.append_names(host, restore.TOUCHED, ["eth1"])
    await undo_record.note_files(host, [dataplane.SCRIPT, dataplane.UNIT])
    await host.put(dataplane.setup_script(ENDS).encode(), dataplane.SCRIPT, mode=0o755)
    await host.put(dataplane.UNIT_TEXT.encode(), dataplane.UNIT)
    await host.run(["sh"], stdin=dataplane.setup_script(ENDS).encode())
    host.set_interface(ADDRESS)
    host.write("/var/log/lab/weaver.log", "words")
    host.write("/run/lab/daemons/weaver.log", "")
    host.path("/run/lab/daemons/weaver.log").unlink()


async def given_back(host: Rooted) -> restore.Restored:
    done = await restore.restore(host)
    assert done is not None
    return done


async def test_everything_that_was_made_goes(host: Rooted) -> None:
    before = host.files()
    await prepare(host)
    assert host.read("/proc/sys/net/ipv4/conf/eth1/rp_filter") == "2"
    assert (host.root / "rules").read_text() == f"{RULE}\n"
    done = await given_back(host)
    assert host.files() == before
    assert not (host.root / "address").exists()
    assert (host.root / "rules").read_text() == ""
    assert (host.root / "images").read_text() == "other\n"
    # here `ip` goes on saying what it is told to
    assert [line for line in done.left if not line.startswith("interfaces")] == [
        "images: still there: other abc"
    ]
    assert await restore.restore(host) is None


async def test_what_somebody_else_made_meanwhile_stays(host: Rooted) -> None:
    await prepare(host)
    host.write("/etc/docker/daemon.json", "{}")
    host.write("/var/lib/lab/registry/lab.json", "a lab of this machine's own")
    host.write("/run/lab/1a2b/owner.json", "{}")
    await given_back(host)
    for path in ("/etc/docker/daemon.json", "/var/lib/lab/registry/lab.json", "/run/lab/1a2b/owner.json"):
        assert host.path(path).exists()
    assert not host.path(FOLDER).exists()


async def test_what_was_there_before_stays(host: Rooted) -> None:
    for path in (
        "/etc/docker/daemon.json",
        "/var/log/lab/old.log",
        "/usr/local/lib/lab/mine",
        dataplane.SCRIPT,
    ):
        host.write(path, "mine")
    (host.root / "rules").write_text(f"{RULE}\n")
    (host.root / "images").write_text("lab/gtsperf\n")
    await prepare(host)
    await given_back(host)
    for path in (
        "/etc/docker/daemon.json",
        "/var/log/lab/old.log",
        "/usr/local/lib/lab/mine",
        dataplane.SCRIPT,
    ):
        assert host.path(path).exists()
    assert not host.path("/var/log/lab/weaver.log").exists()
    assert not host.path(dataplane.UNIT).exists()
    assert (host.root / "rules").read_text() == f"{RULE}\n"
    assert "lab/gtsperf" in (host.root / "images").read_text()


async def test_a_rule_that_somebody_made_after_a_reboot_stays(host: Rooted) -> None:
    await prepare(host)
    record = host.path(undo_record.RECORD)
    boot = Path(undo_record.BOOT).read_text().strip()
    record.write_text(record.read_text().replace(boot, "another-boot"))
    await given_back(host)
    assert (host.root / "rules").read_text() == f"{RULE}\n"
    assert (host.root / "address").read_text() == f"{ADDRESS}\n"


def cut_before_paths(data: bytes) -> bytes:
    return data[: data.index(b"=====lab paths")]


def changed(data: bytes) -> bytes:
    return data.replace(b"present /proc", b"absent /proc").replace(b"absent /etc/docker", b"absent /etc")


DAMAGES: list[Callable[[bytes], bytes]] = [
    cut_before_paths,
    changed,
    lambda data: b"",
    lambda data: data[:-1],
    lambda data: data[: data.rindex(b"=====lab end")],
    lambda data: data + b"=====lab paths\nabsent /etc/docker\n",
]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_with_a_damaged_survey_nothing_is_removed_and_it_is_said(
    host: Rooted, damage: Callable[[bytes], bytes]
) -> None:
    await prepare(host)
    host.write("/etc/docker/daemon.json", "{}")
    stored = host.path(restore.BEFORE)
    stored.write_bytes(damage(stored.read_bytes()))
    before = host.files()
    done = await given_back(host)
    assert host.files() == before
    assert "nothing was removed" in done.left[0]
    assert f"delete {FOLDER}" in done.left[0]


async def test_a_damaged_survey_is_not_taken_for_the_first(host: Rooted) -> None:
    await prepare(host)
    stored = host.path(restore.BEFORE)
    stored.write_bytes(cut_before_paths(stored.read_bytes()))
    with pytest.raises(HostError, match=r"AMS: the survey of the machine's first state.* is damaged"):
        await restore.keep_first_survey(host, await survey.survey(host))


async def test_the_first_survey_counts(host: Rooted) -> None:
    await prepare(host)
    first = host.path(restore.BEFORE).read_bytes()
    await restore.keep_first_survey(host, await survey.survey(host))
    assert host.path(restore.BEFORE).read_bytes() == first


async def test_names_are_read_each_once_and_one_that_was_cut_stands_alone(host: Rooted) -> None:
    host.write(restore.TOUCHED, "eth1\neth")
    await restore.append_names(host, restore.TOUCHED, ["eth2", "eth1"])
    assert await restore.read_names(host, restore.TOUCHED) == ["eth1", "eth", "eth2"]
    for names in (["weave", "tinc"], ["weave"], []):
        await restore.write_names(host, restore.OVERLAYS, names)
        assert await restore.read_names(host, restore.OVERLAYS) == names
    assert await restore.read_names(host, f"{FOLDER}/none") == []


async def test_a_record_that_cannot_be_read_is_no_empty_one(host: Rooted) -> None:
    host.path(restore.TOUCHED).mkdir(parents=True)
    with pytest.raises(HostError, match="cannot be read"):
        await restore.read_names(host, restore.TOUCHED)


async def test_logs_of_a_folder_that_could_not_be_listed_stay(host: Rooted) -> None:
    found = await survey.survey(host)
    answers = {**found.answers, "paths": "present /var/log/lab\n", "files": "? /var/log/lab\n"}
    lines = restore.undo_script(survey.Survey(answers), found, [], undo_record.Made())
    assert not any("/var/log/lab" in line for line in lines)


#: Tells of a step and waits until it was looked at; then does it.
WATCHED = """\
#!/bin/sh
for word; do :; done
echo "before $word" > "$ROOT/steps"; read -r go < "$ROOT/go"
{program} "$@" || exit
echo "{done} $word" > "$ROOT/steps"; read -r go < "$ROOT/go"
"""


@contextmanager
def followed(host: Rooted, cuts: PowerCuts) -> Iterator[None]:
    """Follow what a host's scripts wait for and rename."""
    for name in ("steps", "go"):
        os.mkfifo(host.root / name)
    for name, done in (("sync", "synced"), ("mv", "after")):
        program = host.root / "bin" / name
        program.write_text(WATCHED.format(program=f"/bin/{name}", done=done))
        program.chmod(0o755)

    def follow() -> None:
        while (step := (host.root / "steps").read_text().strip()) != "end":
            what, _, path = step.partition(" ")
            if what == "synced" and Path(path).is_relative_to(cuts.root):
                handle = os.open(path, os.O_RDONLY)
                cuts.synced(handle)
                os.close(handle)
            cuts.moment()
            (host.root / "go").write_text("go\n")

    following = threading.Thread(target=follow)
    following.start()
    try:
        yield
    finally:
        (host.root / "steps").write_text("end\n")
        following.join()


async def test_after_a_power_cut_a_survey_is_whole_or_not_there(host: Rooted, tmp_path: Path) -> None:
    """And once it counts, so does the record of what was about to be made."""
    found = await survey.survey(host)
    disk = host.path(FOLDER)
    disk.mkdir(parents=True)
    with PowerCuts(disk) as cuts, followed(host, cuts):
        await restore.keep_first_survey(host, found)
        cuts.promise()
        await undo_record.note_files(host, [dataplane.SCRIPT])
        cuts.promise()
    tried = 0
    for tree, promised in cuts.trees(tmp_path / "cut"):
        tried += 1
        before, made = tree / "before", tree / "made"
        if before.exists():
            assert survey.parse_stored(before.read_bytes()) == found
            assert made.exists()
        assert before.exists() >= (promised > 0)
        if promised > 1:
            assert dataplane.SCRIPT in made.read_text()
    assert tried > 5


def test_a_folder_of_logs_that_could_not_be_listed_among_others_keeps_its_logs() -> None:
    made = undo_record.parse("folder /run/lab\n")
    answers = {"paths": "present /var/log/lab\n", "files": f"/etc/docker/x\n{survey.UNLISTED} /var/log/lab\n"}
    lines = list(restore._files(survey.Survey(answers), made))
    assert not [line for line in lines if "/var/log/lab" in line]
    listed = survey.Survey({**answers, "files": "/var/log/lab/old.log\n"})
    (line,) = [line for line in restore._files(listed, made) if "/var/log/lab" in line]
    assert "' /var/log/lab/old.log '" in line


def test_only_folders_and_files_that_are_in_the_record_are_taken_away() -> None:
    nothing = restore.undo_script(survey.Survey({}), survey.Survey({}), [], undo_record.Made())
    assert [line for line in nothing if line.startswith(("rm", "rmdir", "["))] == [f"rm -rf {FOLDER}"]
    record = "".join(f"folder {path}\n" for path in survey.FOLDERS) + f"file {dataplane.SCRIPT}\n"
    lines = restore.undo_script(
        survey.Survey({}), survey.Survey({}), [], undo_record.parse(record + "image lab/gtsperf\nimage a b\n")
    )
    assert lines[2:] == [
        "docker image rm -f lab/gtsperf >/dev/null",
        f"rm -f {dataplane.SCRIPT}",
        "rm -rf /usr/local/lib/lab",
        "rm -rf /var/log/lab",
        "rm -f /run/lab/daemons/*.pid /run/lab/daemons/*.started",
        "rm -f /run/lab/docker.sock",
        f"rm -rf {FOLDER}",
        "rmdir /run/lab/overlays 2>/dev/null || :",
        *(f"rmdir {path} 2>/dev/null || :" for path in (
            "/var/lib/lab", "/run/lab/daemons", "/run/lab", "/etc/docker",
        )),
    ]  # fmt: skip


@pytest.mark.parametrize(("before", "line"), [("0", True), ("1", False), ("", False)])
def test_forwarding_is_switched_off_where_it_was(before: str, line: bool) -> None:
    was = survey.Survey({"sysctls": f"{survey.FORWARD} = {before}\n" if before else ""})
    lines = restore.undo_script(was, survey.Survey({}), [], undo_record.Made())
    assert ("echo 0 > /proc/sys/net/ipv4/ip_forward" in lines) is line


def test_a_unit_is_switched_off_and_rules_of_this_boot_are_deleted() -> None:
    record = f"file {dataplane.UNIT}\nrule b1 eth2\nrule b1 eth1\nrule b0 eth3\n"
    now = survey.Survey({"boot": "b1\n"})
    lines = restore.undo_script(survey.Survey({}), now, ["eth9"], undo_record.parse(record))
    assert f"[ ! -e {dataplane.UNIT} ] || systemctl disable lab-data-plane.service" in lines
    assert [line for line in lines if "iptables" in line] == [
        f"iptables -w -D FORWARD -i {name} -j ACCEPT || :" for name in ("eth1", "eth2")
    ]


async def test_packages_that_came_meanwhile_are_told_and_stay(host: Rooted) -> None:
    def installed(*names: str) -> None:
        lines = "".join(f"echo {name} 1.0 installed\n" for name in names)
        (host.root / "bin" / "dpkg-query").write_text(f"#!/bin/sh\n{lines}")

    installed("libc6", "docker.io")
    await prepare(host)
    installed("libc6", "tinc", "wireguard-tools")
    assert (await given_back(host)).packages == ("tinc 1.0", "wireguard-tools 1.0")
