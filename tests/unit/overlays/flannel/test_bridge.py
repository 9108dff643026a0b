"""The bridge on a host's leased subnet: Docker's, or a plain one."""

from __future__ import annotations

from overlays.flannel import bridge
from overlays.flannel.overlay import parse_lease
from tests.unit.fakes import FakeHost

LEASE = parse_lease("FLANNEL_SUBNET=10.100.52.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")


def test_a_lease_drives_docker() -> None:
    assert bridge.docker_options(LEASE) == {"bip": "10.100.52.1/24", "mtu": 1450, "ip-masq": False}


def test_docker_masquerades_where_flanneld_does_not() -> None:
    assert bridge.docker_options({**LEASE, "FLANNEL_IPMASQ": "false"})["ip-masq"] is True


def test_the_old_address_of_the_bridge_is_remembered() -> None:
    shown = "4: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\\ valid_lft forever"
    assert bridge.bridge_address(shown) == {"bip": "172.17.0.1/16"}
    assert bridge.bridge_address("") == {}


async def test_without_docker_a_plain_bridge_gets_the_lease_and_goes_again() -> None:
    host = FakeHost("AMS", docker=())

    await bridge.put_on_lease(host, "flannel", LEASE, "")
    await bridge.take_back(host, "flannel")

    made, removed = host.fed
    assert "ip address replace 10.100.52.1/24 dev br-flannel\n" in made
    assert "ip link set br-flannel mtu 1450 up\n" in made
    assert removed.startswith("ip link del br-flannel ")
    assert not [line for line in host.fed if "docker" in line]


def test_an_endpoint_gets_an_address_of_the_lease_and_goes_out_by_the_bridge() -> None:
    port = bridge.port(LEASE)
    assert (port.bridge, port.mtu, port.lease) == ("br-flannel", 1450, ["next", "10.100.52.1/24"])
    assert port.setup == [["ip", "route", "add", "default", "via", "10.100.52.1"]]
