"""Open vSwitch in a Containernet script: real daemons, real packets, nothing in the machine's own network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.containernet import Containernet, LinuxBridge, OVSSwitch, TCLink, openvswitch
from lab.emulation import cleanup
from lab.errors import CommandError, LabError

pytestmark = pytest.mark.skipif(
    bool(openvswitch.lacking()), reason=f"this machine has no {', '.join(openvswitch.lacking())}"
)


@pytest.fixture
def net(nothing_left: None) -> Iterator[Any]:
    net = Containernet()
    try:
        yield net
    finally:
        net.stop()


def test_switches_of_open_vswitch_pass_what_their_flows_say(net: Any) -> None:
    # given hosts at two of its switches, which learn, with a shaped link between them, and a Linux bridge
    h1, h2, h3 = (net.addHost(f"h{number}") for number in (1, 2, 3))
    s1 = net.addSwitch("s1", cls=OVSSwitch, protocols="OpenFlow13")
    s2, s3 = net.addSwitch("s2", cls=OVSSwitch), net.addSwitch("s3")
    net.addLink(h1, s1)
    net.addLink(s1, s2, cls=TCLink, delay="5ms")
    net.addLink(s2, h2)
    net.addLink(s2, s3)
    net.addLink(s3, h3, delay="1ms")
    net.start()
    # then packets pass, at the pace of the link, and so does TCP, in both directions
    # (other work on the machine only adds to a round trip)
    assert 10.0 <= min(net.pingFull([h1, h2])[0][2][3] for _ in range(5)) < 14.0
    assert net.pingAll() == 0.0
    for ends in ([h1, h2], [h3, h1]):
        received, _ = net.iperf(ends, seconds=1)
        assert float(received.split()[0]) > 1, received
    # and the switches are Open vSwitch's, with the ports' own numbers
    assert "actions=NORMAL" in s1.dpctl("dump-flows")
    assert s1.dpctl("show").splitlines()[0].startswith("OFPT_FEATURES_REPLY (OF1.3)")
    assert s1.cmd("ovs-vsctl list-ports s1").split() == ["s1-eth1", "s1-eth2"]
    assert type(s3) is LinuxBridge
    with pytest.raises(CommandError, match="unknown command 'dumpflows'"):
        s1.dpctl("dumpflows")
    # and this machine's own network has nothing of them, but the lab has their daemons
    here = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert not {"ovs-netdev", "ovs-system", "s1"} & {line.split()[0] for line in here.splitlines()}
    assert {"ovsdb-server", "ovs-vswitchd"} <= programs(net.backend.lab_id)
    # when a link goes and comes back, then so does its port
    net.removeLink(node1="s1", node2="h1")
    assert s1.vsctl("list-ports s1").split() == ["s1-eth2"]
    net.addLink(h1, s1)
    assert net.ping([h1, h2]) == 0.0


def test_a_secure_switch_passes_only_what_a_flow_lets_through(net: Any) -> None:
    h1, h2 = (net.addHost(f"h{number}") for number in (1, 2))
    s1 = net.addSwitch("s1", cls=OVSSwitch, failMode="secure", datapath="user")
    for host in (h1, h2):
        net.addLink(host, s1)
    net.start()
    net.staticArp()  # a host that found nobody does not ask again at once
    assert net.ping([h1, h2], timeout=1) == 100.0
    for port, other in ((1, 2), (2, 1)):
        s1.dpctl("add-flow", f"in_port={port},actions=output:{other}")
    assert net.ping([h1, h2]) == 0.0
    # when it is stopped, then nothing passes; when it starts again, its flows are gone
    s1.stop(deleteIntfs=False)
    assert net.ping([h1], manualdestip=h2.IP(), timeout=1) == 100.0
    s1.start()
    assert "actions" not in s1.dpctl("dump-flows")
    # and a controller makes it learn
    s1.start([net.addController("c0")])
    assert net.ping([h1, h2]) == 0.0
    # and what it cannot have is named
    with pytest.raises(LabError, match="inband=True is not supported"):
        net.addSwitch("s2", cls=OVSSwitch, inband=True)
    with pytest.raises(CommandError, match="OpenFlow99"):
        net.addSwitch("s2", cls=OVSSwitch, protocols="OpenFlow99")


def test_this_machine_reaches_a_host_through_one(net: Any) -> None:
    net.addExtSAP("sap1", "198.18.76.1/24", cls=OVSSwitch)
    h1 = net.addHost("h1", ip="198.18.76.2/24")
    net.addLink(h1, "sap1")
    assert net.ping([h1], manualdestip="198.18.76.1") == 0.0
    net.removeExtSAP("sap1")


def programs(lab_id: str) -> set[str]:
    return {Path(f"/proc/{p.pid}/comm").read_text().strip() for p in cleanup.processes(lab_id)}
