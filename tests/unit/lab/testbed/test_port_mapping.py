"""Which interface of a machine is which port of a topology."""

from __future__ import annotations

import pytest

from lab.errors import HostError
from lab.testbed import port_mapping
from lab.testbed.survey import Interface, Survey
from tests.unit.lab.testbed.machines import CHAIN, PORTS, interface, machine


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


def test_an_interface_that_is_another_port_already_is_not_given_again() -> None:
    wiring = {
        ("AMS", "ens1"): ("PRG", "ens9"),
        ("PRG", "ens8"): ("AMS", "ens2"),
        ("AMS", "ens3"): ("BRA", "x"),
    }
    found = port_mapping._leading_to("AMS", "PRG", wiring, ["ens1"])
    assert (found, port_mapping._leading_to("AMS", "PRG", wiring, [])) == (["ens2"], ["ens1", "ens2"])


def test_machines_may_name_their_interfaces_as_they_like() -> None:
    told = CHAIN.with_interfaces({"PRG": {"eth1": "ens4", "eth2": "ens5"}, "AMS": {"eth1": "eth1"}})
    assert told.link("AMS-PRG").interface("PRG") == "ens4"
    assert told.link("AMS-PRG").interface("AMS") == "eth1"
    assert told.link("PRG-BRA").interface("PRG") == "ens5"
    assert told.from_dict(told.to_dict()) == told
    assert CHAIN.with_interfaces(PORTS) == CHAIN


def test_a_port_may_be_any_interface_that_is_nobodys() -> None:
    there = machine(
        interface("docker0", kind="bridge"),
        interface("lo", kind="loopback"),
        interface("eth3", addresses=("10.0.0.1/8",)),
    )
    physical = [name for name in there if there[name].physical]
    assert port_mapping.candidates(there, ["eth1"], "eth0") == [
        n for n in physical if n not in ("eth0", "eth1", "eth3")
    ]
    assert port_mapping.candidates(there, [], "eth2") == [
        n for n in physical if n not in ("eth0", "eth2", "eth3")
    ]


def test_a_way_in_through_an_address_that_no_interface_has_is_told() -> None:
    with pytest.raises(HostError, match=r"AMS: no interface has 192.0.2.9, at which SSH came in"):
        port_mapping.control_interface("AMS", machine(), "192.0.2.9")


def test_ends_are_those_of_ports_that_are_known() -> None:
    ends = list(port_mapping.link_ends(CHAIN, {"PRG": {"eth2": "ens5"}, "BRA": {"eth1": ""}}))
    assert [(end.host, end.port, end.interface, end.peer, end.with_length) for end in ends] == [
        ("PRG", "eth2", "ens5", "BRA", "192.168.2.2/24")
    ]


def test_a_port_that_could_be_two_interfaces_is_not_guessed_and_one_is_not_given_twice() -> None:
    asked = {h.name: {link.interface(h.name): "auto" for link in CHAIN.links_of(h.name)} for h in CHAIN.hosts}
    wires = {
        ("AMS", "ens4"): ("PRG", "ens6"),
        ("AMS", "ens5"): ("PRG", "ens7"),
        ("BRA", "ens3"): ("PRG", "ens8"),
    }
    with pytest.raises(HostError, match="AMS eth1 to PRG"):
        port_mapping.fill_in_auto(CHAIN, {}, asked, wires)
    known = {"AMS": {"eth1": "ens5"}, "PRG": {"eth1": "ens7"}}
    assert port_mapping.fill_in_auto(CHAIN, known, asked, wires)["PRG"] == {"eth1": "ens7", "eth2": "ens8"}
    assert known == {"AMS": {"eth1": "ens5"}, "PRG": {"eth1": "ens7"}}
    with pytest.raises(HostError, match="PRG eth2 to BRA"):
        port_mapping.fill_in_auto(CHAIN, known, {**asked, "PRG": {}}, wires)


@pytest.mark.parametrize(
    "name",
    ["docker0", "br-tinc", "veth1", "vethwepl1", "weave", "flannel.1", "vxlan-6784", "tap0", "lab-x"],
)
def test_what_docker_or_an_overlay_made_is_no_port(name: str) -> None:
    assert not interface(name).physical
    assert interface("ens4").physical
    assert not interface("ens4", master="br0").physical
    assert not interface("ens4", kind="loopback").physical


def test_a_machine_without_a_port_says_none() -> None:
    with pytest.raises(HostError, match=r"which the inventory gives for eth1; it has none$"):
        port_mapping.given_ports("PRG", {"eth1": "ens9"}, {"lo": interface("lo", kind="loopback")})


def test_only_the_ports_of_the_control_network_are_refused() -> None:
    port_mapping.refuse_control("AMS", {"eth1": "eth1", "eth2": "eth2"}, "eth0")
    with pytest.raises(
        HostError, match="AMS: eth2 carries the SSH connection, and the inventory gives it for eth2"
    ):
        port_mapping.refuse_control("AMS", {"eth1": "eth1", "eth2": "eth2"}, "eth2")
