"""The script of a data plane, and the lines that undo it."""

from __future__ import annotations

from lab.testbed import dataplane, port_mapping
from tests.unit.lab.testbed.machines import CHAIN, PORTS, interface


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
