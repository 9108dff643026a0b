"""What is said of cables that are dead or swapped, and of links that pass no large packets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import HostError
from lab.hosts.host import Result
from lab.testbed import cabling_check, port_mapping
from lab.testbed.port_mapping import LinkEnd
from tests.unit.lab.testbed.machines import CHAIN, PORTS, machine

KNOWN = {name: machine() for name in PORTS}


def ends() -> list[LinkEnd]:
    return [end for end in port_mapping.link_ends(CHAIN, PORTS) if end.link.name == "AMS-PRG"]


LINK = "link AMS-PRG (AMS eth1 to PRG eth1)"

MOVE = "move that cable, or name the right interface in the inventory"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({("AMS", "eth1"): ("PRG", "eth2")}, f" is swapped: behind AMS eth1 is PRG eth2; {MOVE}"),
        ({("PRG", "eth1"): ("BRA", "eth1")}, f" is swapped: behind PRG eth1 is BRA eth1; {MOVE}"),
        (
            {("AMS", "eth1"): ("PRG", "eth1")},
            ": its ends see each other and pass no packets; look for a filter (iptables) on either",
        ),
        ({}, " is dead: no answer from either end; check both cables, and the link between them"),
    ],
)
def test_a_link_that_is_not_right_is_a_sentence_with_its_cable(found: Any, sentence: str) -> None:
    assert cabling_check.cabling_faults(ends(), found, KNOWN, PORTS) == [LINK + sentence]


def test_a_port_without_carrier_is_said_first() -> None:
    known = {**KNOWN, "PRG": {**machine(), "eth1": replace(machine()["eth1"], carrier=False)}}
    (said,) = cabling_check.cabling_faults(ends(), {}, known, PORTS)
    assert "is dead: PRG eth1 has no carrier; look at the cable and the port there" in said


def test_answers_are_read() -> None:
    assert cabling_check.parse_answered("ok eth1 192.168.1.2\nnonsense\n") == {("eth1", "192.168.1.2")}


def test_who_asks_behind_an_interface_is_read() -> None:
    line = (
        "heard eth1 10:00:00.000000 52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), "
        "length 42: Request who-has 169.254.255.254 tell 192.0.2.1, length 28\n"
    )
    assert cabling_check.parse_arp(line + "heard eth2 \n") == {"eth1": {"52:54:00:00:00:01"}}


class Pipe:
    """A host whose packets get through up to a size."""

    def __init__(self, most: int) -> None:
        self.name, self.most, self.asked = "AMS", most, 0

    async def run(self, argv: Any, **_: Any) -> Result:
        self.asked += 1
        size = int(argv[argv.index("-s") + 1]) + cabling_check.HEADERS
        return Result(tuple(argv), int(size > self.most), "", "", 0.0)


@pytest.mark.parametrize("most", [1500, 1499, 1400, 68, 0])
async def test_the_largest_packet_of_a_link_is_found(most: int) -> None:
    host = Pipe(most)
    said = await cabling_check.mtu_faults({"AMS": host}, ends())
    assert host.asked < 16
    if most == 1500:
        assert not said
    else:
        assert said[0].startswith(f"link AMS-PRG passes packets of {most or 'no'} bytes, not of 1500")


class Told:
    """A host that writes down its input, and prints what it is told to."""

    def __init__(self, out: str) -> None:
        self.name, self.out, self.ran = "h", out, list[tuple[list[str], str, dict[str, Any]]]()

    async def run(self, argv: Any, *, stdin: bytes = b"", **options: Any) -> Result:
        self.ran.append((list(argv), stdin.decode(), options))
        return Result(tuple(argv), 1, self.out, "", 0.0)


def test_all_pings_go_out_at_once_and_one_that_is_lost_is_sent_again() -> None:
    first, second, last = cabling_check.ping_script([("eth1", "192.0.2.2"), ("eth2", "192.0.2.3")]).split(
        "\n"
    )
    ping = "ping -n -q -i 0.2 -W 2 -I eth1 192.0.2.2 >/dev/null 2>&1 -c"
    assert first == f"{{ {{ {ping} 1 || {ping} 3; }} && echo 'ok eth1 192.0.2.2'; }} &"
    assert (second.count("eth2"), last) == (3, "wait")


def test_every_interface_is_brought_up_before_any_is_listened_on() -> None:
    lines = cabling_check.arp_script(["eth1", "eth2"]).split("\n")
    assert lines[:2] == ["ip link set eth1 up", "ip link set eth2 up"]
    assert lines[2].startswith("timeout 4 tcpdump -Z root -i eth1 -Q in -nn -e -l arp")
    assert lines[2].endswith("| sed 's/^/heard eth1 /' &")
    assert lines[3] == "ping -n -q -c 4 -W 1 -I eth1 169.254.255.254 >/dev/null 2>&1 &"
    assert (len(lines), lines[-1]) == (7, "wait")


async def test_ends_that_hear_nothing_are_found_with_one_command_a_host() -> None:
    hosts = {"AMS": Told("ok eth1 192.168.1.2\n"), "PRG": Told("")}
    silent = await cabling_check.unanswered_ends(hosts, ends())
    assert [(end.host, end.peer) for end in silent] == [("PRG", "AMS")]
    asked = cabling_check.ping_script([("eth1", "192.168.1.1")])
    assert hosts["PRG"].ran == [(["sh"], asked, {"check": False})]


async def test_what_is_behind_an_interface_is_told_by_the_hardware_address_of_who_asks() -> None:
    def heard(interface: str, mac: str) -> str:
        return f"heard {interface} 10:00:00.0 {mac} > ff:ff:ff:ff:ff:ff, ethertype ARP\n"

    known = {"AMS": {"eth1": replace(machine()["eth1"], mac="52:54:00:00:00:0a")}, "PRG": machine()}
    hosts = {
        "AMS": Told(heard("eth1", machine()["eth2"].mac) + heard("eth1", "02:00:00:00:00:99")),
        "PRG": Told(heard("eth2", "52:54:00:00:00:0a")),
        "BRA": Told("never asked"),
    }
    found = await cabling_check.find_wiring(hosts, {"AMS": ["eth1"], "PRG": ["eth2"], "BRA": []}, known)
    assert found == {("AMS", "eth1"): ("PRG", "eth2"), ("PRG", "eth2"): ("AMS", "eth1")}
    assert hosts["AMS"].ran == [(["sh"], cabling_check.arp_script(["eth1"]), {"check": False, "timeout": 34})]
    assert hosts["BRA"].ran == []


def test_a_link_is_told_once_by_its_first_end_and_all_sentences_are_one_error() -> None:
    both = cabling_check.cabling_faults(ends(), {}, KNOWN, PORTS)
    assert len(both) == 1
    cabling_check.raise_faults([])
    with pytest.raises(HostError, match=r"^one; two$"):
        cabling_check.raise_faults(["one", "two"])


async def test_packets_are_sent_whole_from_the_end_that_is_named_first() -> None:
    host = Told("")
    assert await cabling_check._widest(host, ends()[0]) == 0
    assert [argv for argv, _, _ in host.ran] == [
        [
            "ping",
            "-n",
            "-q",
            "-M",
            "do",
            "-c",
            "2",
            "-i",
            "0.2",
            "-W",
            "2",
            "-s",
            size,
            "-I",
            "eth1",
            "192.168.1.2",
        ]
        for size in ("1472", "40")
    ]
    assert host.ran[0][2] == {"check": False}


async def test_packets_are_sent_whole_out_of_the_port_of_the_link() -> None:
    host = Told("")
    (end,) = [end for end in ends() if end.host == "AMS"]
    await cabling_check._widest(host, end)
    argv, _, options = host.ran[0]
    assert argv == [
        *("ping", "-n", "-q", "-M", "do", "-c", "2", "-i", "0.2", "-W", str(cabling_check.PATIENCE)),
        *("-s", str(1500 - cabling_check.HEADERS), "-I", "eth1", "192.168.1.2"),
    ]
    assert options == {"check": False}
    assert [int(argv[argv.index("-s") + 1]) + cabling_check.HEADERS for argv, *_ in host.ran] == [1500, 68]


async def test_each_link_is_tried_once_from_its_first_end() -> None:
    hosts = {"AMS": Pipe(1400), "PRG": Pipe(0)}
    (said,) = await cabling_check.mtu_faults(hosts, ends())
    assert said == (
        "link AMS-PRG passes packets of 1400 bytes, not of 1500; raise the MTU of what lies between, or "
        "write the smaller one into the topology"
    )
    assert hosts["PRG"].asked == 0


def test_the_near_port_without_a_carrier_is_said_before_the_far_one() -> None:
    none = {name: {**machine(), "eth1": replace(machine()["eth1"], carrier=False)} for name in PORTS}
    (said,) = cabling_check.cabling_faults(ends(), {}, none, PORTS)
    assert said.startswith(f"{LINK} is dead: AMS eth1 has no carrier")


@pytest.mark.parametrize("seen", [("AMS", "eth1"), ("PRG", "eth1")])
def test_one_end_that_sees_the_other_is_enough_for_a_filter(seen: tuple[str, str]) -> None:
    other = {("AMS", "eth1"): ("PRG", "eth1"), ("PRG", "eth1"): ("AMS", "eth1")}[seen]
    (said,) = cabling_check.cabling_faults(ends(), {seen: other}, KNOWN, PORTS)
    assert "pass no packets" in said


def test_without_a_sentence_there_is_no_fault() -> None:
    cabling_check.raise_faults([])
    with pytest.raises(HostError, match=r"^a; b$"):
        cabling_check.raise_faults(["a", "b"])
