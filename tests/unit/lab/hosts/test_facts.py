"""Facts of a host, as its programs print them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.hosts.facts import (
    LINK_KINDS,
    MARK,
    QUESTIONS,
    facts_script,
    of_this_machine,
    parse_facts,
    parse_version,
)
from lab.hosts.host import Result


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("20.10.24+dfsg1\n", (20, 10, 24)),
        ("28.2.2", (28, 2, 2)),
        ("", ()),
        ("27.0.0-rc.1", (27, 0, 0)),
        ("9.1", (9, 1)),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def answers(**said: str) -> str:
    """What a host with every feature prints, with some answers replaced."""
    usual = {
        "machine": "6.1.0-18 x86_64\n",
        "docker": "20.10.24+dfsg1\n",
        "programs": "/usr/sbin/tincd\n/usr/bin/iperf3\n",
        "links": "",
        "openvswitch": "Name: ovs_datapath\n\tID: 0x1f\n",
        "esp": "yes\n",
        "tun": "yes\n",
        "bridge-nf": "yes\n",
        "ipv6": "yes\n",
    }
    given = {**usual, **{name.replace("_", "-"): text for name, text in said.items()}}
    return "".join(f"{MARK} {name}\n{text}" for name, text in given.items())


def test_a_host_that_has_everything() -> None:
    found = parse_facts(answers())
    assert (found.kernel, found.arch, found.docker) == ("6.1.0-18", "x86_64", (20, 10, 24))
    assert (
        found.link_kinds
        == set(LINK_KINDS)
        == {"vxlan", "dummy", "ifb", "wireguard", "ipip", "bridge", "veth"}
    )
    assert found.binaries == {"tincd", "iperf3"}
    assert found.features == {"openvswitch", "esp", "tun", "bridge-nf", "ipv6"}


def test_a_kind_of_link_that_cannot_be_added_is_lacking_and_one_that_cannot_be_deleted_is_not() -> None:
    said = "RTNETLINK answers: Not supported\nCommand failed -:1\nCommand failed -:2\nCommand failed -:13\n"
    assert parse_facts(answers(links=said)).link_kinds == set(LINK_KINDS) - {"vxlan", "veth"}


def test_what_a_host_lacks() -> None:
    found = parse_facts(
        answers(
            docker="docker: not found\n",
            programs="",
            openvswitch="Error\n",
            esp="no\n",
            tun="",
            bridge_nf="",
            ipv6="",
        )
    )
    assert (found.docker, found.binaries, found.features) == ((), set(), set())


def test_every_question_is_asked_with_its_mark_and_its_errors() -> None:
    lines = facts_script().splitlines()
    assert lines[0] == f"echo '{MARK} machine'; uname -rm 2>&1"
    assert sum(line.startswith(f"echo '{MARK} ") for line in lines) == len(QUESTIONS)
    assert QUESTIONS["programs"] == (
        "which docker dockerd etcd etcdctl tincd wg ip iptables ethtool tcpdump weaver flanneld iperf3 "
        "netperf stress-ng wireguard-go yggdrasil yggdrasilctl nebula nebula-cert"
    )
    assert QUESTIONS["docker"] == "docker version --format '{{.Server.Version}}'"
    assert "ip -force -batch -" in QUESTIONS["links"]
    assert QUESTIONS["links"].count("link add labprobe type ") == len(LINK_KINDS)
    assert "type vxlan id 16000000 dstport 0\\n" in QUESTIONS["links"].replace("\n", "\\n")
    assert "type ipip local 192.0.2.1 remote 192.0.2.2\\n" in QUESTIONS["links"].replace("\n", "\\n")
    assert QUESTIONS["links"].count("link del labprobe") == len(LINK_KINDS)
    assert QUESTIONS["esp"].count("src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x4c4142") == 2
    assert f"mode transport aead 'rfc4106(gcm(aes))' 0x{20 * '00'} 64 &&" in QUESTIONS["esp"]
    assert QUESTIONS["openvswitch"] == "genl ctrl get name ovs_datapath"
    assert QUESTIONS["esp"].count("0x4c4142") == 2


@pytest.mark.parametrize(("user", "words"), [(0, []), (1000, ["--map-root-user"])])
async def test_this_machine_is_asked_in_a_network_of_its_own(
    user: int, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def run(argv: Sequence[str], *, stdin: bytes = b"", check: bool = True, **_: Any) -> Result:
        asked.append((list(argv), stdin, check))
        return Result(tuple(argv), 1, answers(docker="", programs=""), "", 0.0)

    monkeypatch.setattr(os, "geteuid", lambda: user)
    found = await of_this_machine(run)
    assert asked == [(["unshare", *words, "--net", "sh"], facts_script().encode(), False)]
    assert found is not None
    assert (found.docker, "weaver" in found.binaries) == ((20, 10), True)


async def test_a_machine_that_gives_no_network_of_its_own_says_nothing() -> None:
    async def run(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), 1, "", "unshare failed", 0.0)

    assert await of_this_machine(run) is None


def test_a_version_of_one_digit_is_one() -> None:
    assert parse_facts(answers(docker="9.1.0\n")).docker == (9, 1, 0)


PROGRAMS = {
    "docker": "echo 28.2.2",
    "genl": "printf 'Name: ovs_datapath\\n\\tID: 0x1f\\n'",
    "ip": 'case "$1" in xfrm) exit 0;; *) cat >&2; echo Command failed -:1; exit 1;; esac',
    "uname": "echo 6.1.0 x86_64",
    "wg": "exit 1",
}


def test_the_script_asks_a_host_of_which_the_programs_answer(tmp_path: Path) -> None:
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(
        ["sh"], input=facts_script(), env=environment, capture_output=True, text=True, check=False
    )
    found = parse_facts(said.stdout)
    assert (found.kernel, found.arch, found.docker) == ("6.1.0", "x86_64", (28, 2, 2))
    assert {"docker", "wg", "ip"} <= found.binaries
    assert found.link_kinds == set(LINK_KINDS) - {"vxlan"}
    of_files = {
        "tun": Path("/dev/net/tun").is_char_device(),
        "bridge-nf": Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
        "ipv6": Path("/proc/sys/net/ipv6").exists(),
    }
    assert found.features == {"openvswitch", "esp", *(name for name, there in of_files.items() if there)}


def test_what_a_kernel_has_is_seen_by_its_files() -> None:
    files = {
        "tun": ("-c", "/dev/net/tun"),
        "bridge-nf": ("-e", "/proc/sys/net/bridge/bridge-nf-call-iptables"),
        "ipv6": ("-e", "/proc/sys/net/ipv6"),
    }
    for name, (kind, file) in files.items():
        assert QUESTIONS[name] == f"test {kind} {file} && echo yes"
