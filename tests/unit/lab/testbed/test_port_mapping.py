"""Which interface is which port, and what is said of cables that are dead or swapped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab import catalog
from lab.errors import HostError
from lab.hosts.host import Result
from lab.measure.echoes import parse_times
from lab.testbed import cabling_check, dataplane, port_mapping
from lab.testbed.port_mapping import LinkEnd
from lab.testbed.survey import Interface, Survey

CHAIN = catalog.topology("linear:sites=AMS+PRG+BRA")


def interface(name: str, **more: Any) -> Interface:
    known: dict[str, Any] = {
        "mac": f"52:54:00:00:00:{sum(map(ord, name)) % 256:02x}",
        "mtu": 1500,
        "up": True,
        "carrier": True,
        "kind": "ether",
        "addresses": (),
    }
    return Interface(name, **{**known, **more})


def machine(*more: Interface) -> dict[str, Interface]:
    all_ = (interface("eth0", addresses=("192.0.2.1/24",)), interface("eth1"), interface("eth2"), *more)
    return {one.name: one for one in all_}


def test_a_port_is_named_by_name_or_mac() -> None:
    there = machine()
    assert port_mapping.given_ports("PRG", {"eth1": "eth2", "eth2": there["eth1"].mac.upper()}, there) == {
        "eth1": "eth2",
        "eth2": "eth1",
    }
    assert port_mapping.given_ports("PRG", {"eth1": "auto"}, there) == {}


def test_an_interface_that_is_missing_is_named_with_those_that_are_there() -> None:
    with pytest.raises(HostError) as caught:
        port_mapping.given_ports(
            "PRG", {"eth1": "ens9"}, machine(interface("docker0"), interface("lo", kind="loopback"))
        )
    assert str(caught.value) == (
        "PRG has no interface ens9, which the inventory gives for eth1; it has eth0, eth1, eth2"
    )


def test_the_control_network_is_never_a_port() -> None:
    assert port_mapping.control_interface("AMS", machine(), "192.0.2.1") == "eth0"
    with pytest.raises(HostError, match="the control network is never measured"):
        port_mapping.refuse_control("AMS", {"eth1": "eth0"}, "eth0")


def test_a_foreign_address_is_refused() -> None:
    own = {"eth1": interface("eth1", addresses=("192.168.1.1/24",))}
    port_mapping.refuse_foreign("AMS", {"eth1": "eth1"}, survey(own), CHAIN)
    other = {"eth1": interface("eth1", addresses=("10.9.9.9/24",))}
    with pytest.raises(HostError, match=r"eth1, which is to be eth1, has the address 10.9.9.9/24"):
        port_mapping.refuse_foreign("AMS", {"eth1": "eth1"}, survey(other), CHAIN)


def survey(interfaces: dict[str, Interface]) -> Survey:
    class Made(Survey):
        interfaces = {}  # type: ignore[assignment]  # noqa: RUF012

    made = Made({})
    object.__setattr__(made, "interfaces", interfaces)
    return made


def test_ports_that_are_auto_follow_from_what_is_connected() -> None:
    asked = {h.name: {link.interface(h.name): "auto" for link in CHAIN.links_of(h.name)} for h in CHAIN.hosts}
    wires = {("AMS", "ens4"): ("PRG", "ens6"), ("BRA", "ens3"): ("PRG", "ens5")}
    assert port_mapping.fill_in_auto(CHAIN, {}, asked, wires) == {
        "AMS": {"eth1": "ens4"},
        "PRG": {"eth1": "ens6", "eth2": "ens5"},
        "BRA": {"eth1": "ens3"},
    }


def test_a_port_that_leads_nowhere_is_named() -> None:
    asked = {h.name: {link.interface(h.name): "auto" for link in CHAIN.links_of(h.name)} for h in CHAIN.hosts}
    with pytest.raises(HostError, match=r"no interface was found .* PRG eth2 to BRA, BRA eth1 to PRG"):
        port_mapping.fill_in_auto(CHAIN, {}, asked, {("AMS", "ens4"): ("PRG", "ens6")})


PORTS = {"AMS": {"eth1": "eth1"}, "PRG": {"eth1": "eth1", "eth2": "eth2"}, "BRA": {"eth1": "eth1"}}
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
        ({}, " is dead: nobody answers behind either end; look at both cables, and at the circuit"),
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


def test_the_data_plane_is_a_script_of_one_line_per_port() -> None:
    text = dataplane.setup_script([end for end in port_mapping.link_ends(CHAIN, PORTS) if end.host == "PRG"])
    assert "port eth1 192.168.1.2/24 1500   # to AMS\nport eth2 192.168.2.2/24 1500   # to BRA\n" in text


def test_an_interface_gets_back_what_it_had() -> None:
    before = interface("eth1", up=False, mtu=9000, addresses=("10.0.0.1/8",))
    now = interface("eth1", addresses=("10.0.0.1/8", "192.168.1.1/24"))
    assert dataplane.undo_lines(now, before) == [
        "ip addr del 192.168.1.1/24 dev eth1 || :",
        "while iptables -w -D FORWARD -i eth1 -j ACCEPT; do :; done",
        "ip link set eth1 mtu 9000 || :",
        "ip link set eth1 down || :",
    ]


def test_machines_may_name_their_interfaces_as_they_like() -> None:
    told = CHAIN.with_interfaces({"PRG": {"eth1": "ens4", "eth2": "ens5"}, "AMS": {"eth1": "eth1"}})
    assert told.link("AMS-PRG").interface("PRG") == "ens4"
    assert told.link("AMS-PRG").interface("AMS") == "eth1"
    assert told.link("PRG-BRA").interface("PRG") == "ens5"
    assert told.from_dict(told.to_dict()) == told
    assert CHAIN.with_interfaces(PORTS) == CHAIN


def test_round_trips_are_read_off_a_ping() -> None:
    text = "64 bytes from 192.168.1.2: icmp_seq=1 ttl=64 time=22.1 ms\n64 bytes: icmp_seq=2 time=0.05 ms\n"
    assert parse_times(text) == [22.1, 0.05]
    assert parse_times("From 192.168.1.1 Destination Host Unreachable") == []
