"""A survey: what is read off a machine, and what is not as it was after a run."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostError
from lab.hosts.facts import QUESTIONS, facts_script
from lab.hosts.host import Result
from lab.testbed import survey
from lab.testbed.survey import Survey
from tests.unit.here import Here
from tests.unit.lab.testbed.machines import ADDRESSES, ANSWERS, interface


def test_the_answers_of_a_machine_are_read() -> None:
    found = survey.parse("".join(f"{survey.MARK} {name}\n{text}" for name, text in ANSWERS.items()))
    assert found.docker == (20, 10, 24)
    assert found.codename == "bookworm"
    assert found.packages == {"docker.io": "20.10.24", "libc6": "2.36"}
    assert found.free_mib == 4, "the fullest disk counts"
    assert found.sysctls["net.ipv4.tcp_rmem"] == "4096 131072 6291456"
    assert found.interfaces["eth1"].addresses == ("192.168.1.1/24",)
    assert not found.interfaces["eth1"].carrier
    assert not found.interfaces["lo"].physical
    assert "tinc" in found.missing_packages()
    assert "docker.io" not in found.missing_packages()
    assert found.as_facts()["cpus"] == "2"


async def test_this_machine_can_be_asked_and_is_left_as_it_is() -> None:
    before = await survey.survey(Here())
    after = await survey.survey(Here())
    assert "lo" in before.interfaces
    assert before.as_facts()["kernel"]
    assert not survey.differences(
        before, replace(after, answers={**after.answers, "interfaces": before.answers["interfaces"]})
    )


def test_what_is_left_and_what_is_gone_is_named() -> None:
    before = Survey({**ANSWERS, "routes": "default via 10.0.0.1\n"})
    after = Survey({**ANSWERS, "routes": "192.168.1.0/24 dev eth1\n", "images": "lab/gtsperf:latest abc\n"})
    assert survey.differences(before, after) == [
        "routes: still there: 192.168.1.0/24 dev eth1",
        "routes: gone: default via 10.0.0.1",
        "images: still there: lab/gtsperf:latest abc",
    ]


def test_what_a_new_docker_makes_is_its_own() -> None:
    before = Survey({**ANSWERS, "docker": ""})
    after = Survey({**ANSWERS, "iptables": "-N DOCKER\n", "containers": "weave\n"})
    assert survey.differences(before, after) == ["containers: still there: weave"]


async def test_a_survey_that_was_cut_is_no_survey() -> None:
    class Cut(Here):
        async def execute(self, *given: Any) -> Result:
            done = await super().execute(*given)
            return replace(done, stdout=done.stdout[: done.stdout.rindex(survey.MARK)])

    with pytest.raises(HostError, match="it answers no questions"):
        await survey.survey(Cut())


def test_a_stored_survey_is_read_again_and_a_damaged_one_is_none() -> None:
    data = Survey(ANSWERS).stored()
    assert survey.parse_stored(data) == Survey(ANSWERS)
    for end in range(len(data)):
        assert survey.parse_stored(data[:end]) is None
    for at in range(0, len(data), 7):
        assert survey.parse_stored(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) is None


def test_paths_are_absent_only_where_that_was_said() -> None:
    found = Survey({"paths": "present /etc/docker\nabsent /run/lab\n"})
    assert (found.present, found.absent) == ({"/etc/docker"}, {"/run/lab"})
    assert Survey({}).absent == set()


async def test_the_check_of_source_addresses_is_asked_for_and_compared() -> None:
    assert (await survey.survey(Here())).filters["lo"] in ("0", "1", "2")
    before = Survey({**ANSWERS, "rp_filter": "eth1/rp_filter:1\n"})
    after = Survey({**ANSWERS, "rp_filter": "eth1/rp_filter:2\n"})
    assert "interfaces: still there: eth1 up mtu 1500 rp_filter 2 192.168.1.1/24" in survey.differences(
        before, after
    )


def test_settings_of_a_new_docker_are_its_own_and_other_files_are_not() -> None:
    before = Survey({**ANSWERS, "docker": ""})
    after = Survey({**ANSWERS, "files": "/etc/docker/key.json\n/usr/local/lib/lab/x\n"})
    assert survey.differences(before, after) == ["files: still there: /usr/local/lib/lab/x"]


@pytest.mark.parametrize(
    "question", ["iptables", "networks", "routes", "interfaces", "sysctls", "images", "paths"]
)
def test_what_docker_makes_by_itself_is_no_difference_where_it_is_new(question: str) -> None:
    """And one where Docker was there before, or is on none of the two."""
    said = "net.ipv4.ip_forward = 1\n" if question == "sysctls" else "new thing\n"
    said = "present /etc/docker\n" if question == "paths" else said
    said = json.dumps([*ADDRESSES, {**ADDRESSES[1], "ifname": "br-1"}]) if question == "interfaces" else said
    after = Survey({**ANSWERS, question: said})
    none = Survey({**ANSWERS, "docker": ""})
    assert survey.differences(none, after) == []
    assert survey.differences(none, Survey({**after.answers, "docker": ""}))
    assert survey.differences(Survey(ANSWERS), after)
    assert survey.differences(Survey(ANSWERS), Survey({**after.answers, "docker": ""}))


def test_a_machine_that_says_little_has_facts_without_values() -> None:
    assert Survey({}).as_facts() == {
        "system": "",
        "kernel": "",
        "cpus": "",
        "cpu": "",
        "memory_mib": "",
        "docker": "",
        "sysctls": {},
    }
    said = {**ANSWERS, "machine": "6.1.0-18 x86_64\n4\nmodel name\t: A: CPU\nMemTotal:  2048000 kB\n"}
    facts = Survey(said).as_facts()
    assert (facts["kernel"], facts["cpus"], facts["cpu"], facts["memory_mib"]) == (
        "6.1.0-18",
        "4",
        "A: CPU",
        2000,
    )
    assert Survey({**ANSWERS, "machine": "6.1.0 x86_64\n4\nan odd\nmachine\n"}).as_facts()["memory_mib"] == (
        "an odd machine"
    )


def test_interfaces_are_read_whole_and_with_what_they_do_not_say() -> None:
    full = {
        **ADDRESSES[1],
        "flags": ["UP", "LOWER_UP"],
        "master": "br0",
        "addr_info": [
            {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
            {"family": "inet", "local": "192.168.1.1", "prefixlen": 24},
            {"family": "inet", "local": "10.0.0.1", "prefixlen": 8},
        ],
    }
    found = Survey({"interfaces": json.dumps([full, {"ifname": "odd"}, {}])}).interfaces
    assert found["eth1"] == survey.Interface(
        "eth1", "52:54:00:00:00:01", 1500, True, True, "ether", ("192.168.1.1/24", "10.0.0.1/8"), "br0"
    )
    assert found["odd"] == survey.Interface("odd", "", 0, False, False, "", ())
    assert list(found) == ["eth1", "odd"]
    assert Survey({"interfaces": "no JSON"}).interfaces == {} == Survey({}).interfaces


@pytest.mark.parametrize(
    ("more", "physical"),
    [
        ({}, True),
        ({"kind": "loopback"}, False),
        ({"master": "br0"}, False),
        *(
            ({"name": f"{kind}1"}, False)
            for kind in ("docker", "br-", "veth", "weave", "flannel", "vxlan", "tap")
        ),
        ({"name": "lab0"}, False),
    ],
)
def test_a_port_is_ethernet_and_of_nobodys_making(more: dict[str, str], physical: bool) -> None:
    assert (
        interface(more.get("name", "eth1"), **{k: v for k, v in more.items() if k != "name"}).physical
        is physical
    )


async def test_kinds_of_link_are_tried_where_they_go_again() -> None:
    ran = list[Any]()

    class Asked(Here):
        async def run(self, argv: Any, **more: Any) -> Result:
            ran.append((list(argv), more))
            return Result(tuple(argv), 1, "", "", 0.0)

    with pytest.raises(HostError, match="makes no network namespace to try links in: it said nothing"):
        await survey.host_facts(Asked())
    assert ran == [(["unshare", "--net", "sh"], {"stdin": facts_script().encode(), "check": False})]


async def test_a_machine_that_answers_nothing_is_told_by_its_last_words() -> None:
    class Odd(Here):
        def __init__(self, out: str, err: str) -> None:
            super().__init__("AMS")
            self.words = out, err

        async def run(self, argv: Any, **more: Any) -> Result:
            assert not more["check"]
            return Result(tuple(argv), 1, *self.words, 0.0)

    for out, err, said in (("", "a\nb", "b"), ("out", "", "out"), ("", "", "it said nothing")):
        with pytest.raises(HostError, match=f"AMS: it answers no questions: {said}; the lab"):
            await survey.survey(Odd(out, err))


@pytest.mark.parametrize(
    ("rows", "free"),
    [
        ([], 0),
        (["/dev/vda 9 9 4096 1% /"], 4),
        (["/dev/vda 9 9 - 1% /", "/dev/vdb 9 9 2048 1% /x", "/dev/vdc 9 9"], 2),
    ],
)
def test_room_is_that_of_the_fullest_disk_that_is_told(rows: list[str], free: int) -> None:
    text = "".join(f"{row}\n" for row in ["Filesystem 1024-blocks Used Available", *rows])
    assert Survey({"disk": text}).free_mib == free


#: Programs that print what they are asked.
ECHO = '#!/bin/sh\necho "$@"\n'
IPTABLES = """# Generated
*filter
:INPUT ACCEPT [1:2]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
-A INPUT -j B
-A INPUT -j A
COMMIT
"""


async def test_each_question_is_asked_of_the_program_that_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = dict.fromkeys(("docker", "dpkg-query", "sysctl", "sha256sum"), ECHO)
    scripts["ip"] = '#!/bin/sh\necho "$@"; echo broadcast x; echo local y; echo b; echo a\n'
    scripts["iptables-save"] = f"#!/bin/sh\ncat <<'E'\n{IPTABLES}E\n"
    for name, script in scripts.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "C")
    found = await survey.survey(Here())
    said = {name: text.strip() for name, text in found.answers.items()}
    assert list(said) == list(survey.QUESTIONS)
    assert said["docker"] == "version --format {{.Server.Version}}"
    assert said["image"] == f"image inspect --format {{{{.Id}}}} {survey.ENDPOINT.tag}"
    assert said["containers"] == "ps -a --format {{.Names}} {{.Image}}"
    assert said["images"] == "images --format {{.Repository}}:{{.Tag}} {{.ID}}"
    assert said["networks"] == "network ls --format {{.Name}} {{.Driver}}"
    assert said["volumes"] == "volume ls -q"
    assert said["script"] == "/usr/local/lib/lab/docker-daemon"
    assert said["packages"] == "-W -f ${Package} ${Version} ${db:Status-Status}"
    assert said["sysctls"].split() == ["net.ipv4.ip_forward", *survey.SYSCTLS]
    assert said["interfaces"].splitlines()[0] == "-j addr show"
    assert said["routes"].splitlines() == ["a", "b", "route show table all"]
    assert said["rules"].splitlines()[0] == "rule show"
    assert said["iptables"].splitlines() == ["-A INPUT -j A", "-A INPUT -j B", ":DOCKER - ", ":FORWARD DROP"]


async def test_what_files_of_this_machine_say() -> None:
    found = await survey.survey(Here())
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found.first("boot"))
    facts = found.as_facts()
    assert facts["kernel"] == os.uname().release
    assert facts["system"] in Path("/etc/os-release").read_text()
    assert int(facts["cpus"]) >= 1
    assert facts["memory_mib"] > 0
    assert found.free_mib > 0
    assert found.present | found.absent == set(survey.PATHS)
    assert not found.present & found.absent
    assert "lo" in found.filters
    assert "all" in found.filters


def test_paths_that_the_lab_makes_on_a_machine() -> None:
    assert (
        *("/usr/local/lib/lab", "/etc/docker", "/var/log/lab", "/var/lib/lab", "/run/lab"),
        *("/run/lab/daemons", "/etc/systemd/system/lab-data-plane.service"),
    ) == survey.PATHS


def test_a_docker_of_one_digit_and_none_that_answers() -> None:
    assert Survey({"docker": "9.1.2\n"}).docker == (9, 1, 2)
    assert Survey({"docker": "Cannot connect to 1.2.3\n"}).docker == ()


def test_interfaces_of_docker_and_of_containers_come_and_go() -> None:
    more = [{**ADDRESSES[1], "ifname": name} for name in ("docker0", "veth12")]
    after = Survey({**ANSWERS, "interfaces": json.dumps([*ADDRESSES, *more])})
    assert survey.differences(Survey(ANSWERS), after) == []
    down = [{**one, "flags": []} if one["ifname"] == "eth1" else one for one in ADDRESSES]
    assert [
        line
        for line in survey.differences(Survey(ANSWERS), Survey({**ANSWERS, "interfaces": json.dumps(down)}))
        if "still" in line
    ] == ["interfaces: still there: eth1 down mtu 1500 rp_filter ? 192.168.1.1/24"]


async def test_a_machine_that_makes_no_namespace_is_told_in_its_words_and_one_that_does_is_read() -> None:
    class Asked(Here):
        def __init__(self, out: str, err: str) -> None:
            super().__init__("AMS")
            self.said = out, err

        async def run(self, argv: Any, **_: Any) -> Result:
            return Result(tuple(argv), 0, *self.said, 0.0)

    with pytest.raises(HostError, match=r"AMS: it makes no network .* in: Operation not permitted$"):
        await survey.host_facts(Asked("", " Operation not permitted\n"))
    answers = "".join(f"{survey.MARK} {name}\n6.1 x86_64 {name}\n" for name in QUESTIONS)
    assert (await survey.host_facts(Asked(answers, ""))).kernel == "6.1"


def test_facts_have_the_name_of_the_system_and_the_version_of_docker() -> None:
    facts = Survey(ANSWERS).as_facts()
    assert (facts["system"], facts["docker"]) == ("Debian GNU/Linux 12 (bookworm)", "20.10.24+dfsg1")
    assert facts["sysctls"] == Survey(ANSWERS).sysctls


@pytest.mark.parametrize(("lines", "name"), [("", ""), ("Debian\n", ""), ("Debian\ntrixie\nx\n", "trixie")])
def test_the_name_of_a_release(lines: str, name: str) -> None:
    assert Survey({"system": lines}).codename == name


def test_wanted_packages_are_those_of_the_script_that_installs_them() -> None:
    assert "tinc" in survey.wanted_packages("bookworm")
    assert survey.wanted_packages("") == survey.wanted_packages("unknown")


@pytest.mark.parametrize(
    "question",
    ["sysctls", "routes", "rules", "iptables", "containers", "images", "networks", "volumes", "files"],
)
def test_each_thing_that_is_to_be_as_it_was_is_compared(question: str) -> None:
    before, after = Survey({**ANSWERS, question: "old\n"}), Survey({**ANSWERS, question: "new\n"})
    assert survey.differences(before, after) == [f"{question}: still there: new", f"{question}: gone: old"]
    assert survey.differences(before, before) == []


def test_a_path_that_came_is_told_and_what_a_machine_says_of_itself_is_not() -> None:
    before = Survey({**ANSWERS, "paths": "absent /run/lab\n", "claim": "a", "boot": "1"})
    after = Survey({**ANSWERS, "paths": "present /run/lab\n", "claim": "b", "boot": "2"})
    assert survey.differences(before, after) == ["paths: still there: /run/lab"]
