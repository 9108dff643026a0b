"""What is said of cables that are dead or swapped, and of links that pass no large packets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
