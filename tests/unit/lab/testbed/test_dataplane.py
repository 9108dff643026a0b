"""The script of a data plane, and the lines that undo it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.testbed import dataplane, port_mapping, undo_record
from tests.unit.lab.testbed.machines import CHAIN, PORTS, interface
from tests.unit.lab.testbed.rooted import Rooted

#: The script of a machine with one port.
SCRIPT = dataplane.setup_script([e for e in port_mapping.link_ends(CHAIN, PORTS) if e.host == "AMS"]).encode()


def test_the_data_plane_is_a_script_of_one_line_per_port() -> None:
    text = dataplane.setup_script([end for end in port_mapping.link_ends(CHAIN, PORTS) if end.host == "PRG"])
    assert "port eth1 192.168.1.2/24 1500   # to AMS\nport eth2 192.168.2.2/24 1500   # to BRA\n" in text


def test_an_interface_gets_back_what_it_had() -> None:
    before = interface("eth1", up=False, mtu=9000, addresses=("10.0.0.1/8",))
    now = interface("eth1", addresses=("10.0.0.1/8", "192.168.1.1/24", "172.16.0.1/16"))
    assert dataplane.undo_lines(now, before, {"192.168.1.1/24", "10.0.0.1/8"}) == [
        "ip addr del 192.168.1.1/24 dev eth1 || :",
        "ip link set eth1 mtu 9000 || :",
        "ip link set eth1 down || :",
    ]


def test_a_check_of_source_addresses_is_given_back_where_it_was_known_and_changed() -> None:
    assert dataplane.undo_filter("eth1", "2", "1") == ["echo 1 > /proc/sys/net/ipv4/conf/eth1/rp_filter"]
    assert dataplane.undo_filter("eth1", "1", "1") == []
    assert dataplane.undo_filter("eth1", "2", "") == []


@pytest.mark.parametrize(
    ("of_all", "own", "after"), [(0, 0, 0), (0, 1, 2), (1, 0, 2), (1, 1, 2), (2, 1, 1), (1, 2, 2), (2, 0, 0)]
)
async def test_only_a_strict_check_of_source_addresses_is_made_loose(
    tmp_path: Path, of_all: int, own: int, after: int
) -> None:
    host = Rooted(tmp_path)
    host.write("/proc/sys/net/ipv4/conf/all/rp_filter", f"{of_all}\n")
    host.write("/proc/sys/net/ipv4/conf/eth1/rp_filter", f"{own}\n")
    await host.run(["sh"], stdin=SCRIPT)
    assert host.read("/proc/sys/net/ipv4/conf/eth1/rp_filter") == str(after)


async def test_what_the_script_makes_is_noted_and_what_was_there_is_not(tmp_path: Path) -> None:
    host, boot = Rooted(tmp_path), Path(undo_record.BOOT).read_text().strip()
    await host.run(["sh"], stdin=SCRIPT)
    noted = host.read(undo_record.RECORD)
    assert noted.splitlines() == [f"address {boot} eth1 192.168.1.1/24", f"rule {boot} eth1"]
    await host.run(["sh"], stdin=SCRIPT)
    assert host.read(undo_record.RECORD) == noted
    assert len((host.root / "rules").read_text().splitlines()) == 1
