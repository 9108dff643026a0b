"""A network's calls on a backend that only writes down what it is asked for: no root, no container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mininet import link, node, nodelib

from lab import containernet
from lab.containernet import (
    Controller,
    Docker,
    Node,
    OVSSwitch,
    TCLink,
    Topo,
    net,
    switches,
)
from lab.emulation import ownership
from lab.emulation.links.link import Shape
from lab.errors import LabError, TopologyError, UnknownName


def laid(made: Any) -> list[Any]:
    return [what for what in made.backend.done if what[0] in ("join", "lay")]


def test_the_script_of_containernets_front_page(make: Any) -> None:
    made = make(controller=Controller)
    made.addController("c0")
    d1 = made.addDocker("d1", ip="10.0.0.251", dimage="ubuntu:trusty")
    made.addDocker("d2", ip="10.0.0.252", dimage="ubuntu:trusty")
    s1, s2 = made.addSwitch("s1"), made.addSwitch("s2", cls=OVSSwitch)
    made.addLink(d1, s1)
    made.addLink(s1, s2, cls=TCLink, delay="100ms", bw=1)
    made.addLink(s2, "d2")
    made.start()
    shape = Shape(delay=100.0, rate=1.0)
    assert laid(made) == [
        ("join", "d1-eth0", "s1-eth1"),
        ("lay", "s1-eth2", "s2-eth1", shape, shape),
        ("join", "s2-eth2", "d2-eth0"),
    ]
    assert "ip address replace 10.0.0.251/8 dev d1-eth0" in made.backend.said("d1")
    assert "ip link set s1-eth1 master s1" in made.backend.said("s1")
    assert (made["d2"].IP(), made["d2"].dimage) == ("10.0.0.252", "ubuntu:trusty")
    # once, also after `start` has configured all hosts
    assert sum("10.0.0.251" in line for line in made.backend.said("d1")) == 1


def test_hosts_are_counted_from_the_base_address(make: Any) -> None:
    made = make(ipBase="192.168.7.0/24", autoSetMacs=True)
    d1, d2 = made.addDocker("d1", dimage="x"), made.addDocker("d2", dimage="x")
    made.addLink(d1, d2)
    assert (d1.IP(), d2.IP()) == ("192.168.7.1", "192.168.7.2")
    assert "ip address replace 192.168.7.1/24 dev d1-eth0" in made.backend.said("d1")
    assert "ip link set dev d2-eth0 address 00:00:00:00:00:02" in made.backend.said("d2")


def test_what_is_removed_goes_with_its_links(make: Any) -> None:
    made = make()
    d1, d2, s1 = made.addDocker("d1", dimage="x"), made.addDocker("d2", dimage="x"), made.addSwitch("s1")
    made.addLink(d1, s1, delay="1ms")
    made.addLink(d2, s1)
    made.removeDocker("d1")
    assert ("take", "d1-s1") in made.backend.done
    assert ("drop", "d1") in made.backend.done
    assert ([str(link) for link in made.links], list(made)) == (["d2-eth0<->s1-eth2"], ["d2", "s1"])
    made.removeLink(node1="s1", node2=d2)
    assert (made.links, d2.intfs) == ([], {})
    with pytest.raises(UnknownName, match="unknown node 'd1'; known: d2, s1"):
        made.removeDocker("d1")


def test_a_refused_parameter_makes_nothing(make: Any) -> None:
    made = make()
    d1, s1 = made.addDocker("d1", dimage="x"), made.addSwitch("s1")
    before = list(made.backend.done)
    for ask in (
        lambda: made.addDocker("d2", dimage="x", colour="red"),
        lambda: made.addDocker("d2", dimage="x", port_bindings={"53/udp": 53}),
        lambda: made.addDocker("d2", dimage="x", ipc_mode="container:mn.d9"),
        lambda: made.addHost("h1", dimage="x"),
        lambda: made.addLink(d1, s1, enable_red=True),
        lambda: made.addLink(d1, s1, colour="red"),
        lambda: made.addLink(d1, s1, intfName1="a-name-that-is-too-long"),
        lambda: made.addSwitch("s2", protocols="OpenFlow13"),
        lambda: make(listenPort=1),
        lambda: make(colour="red"),
    ):
        with pytest.raises(LabError):
            ask()
    assert made.backend.done == before
    assert list(made) == ["d1", "s1"]


def test_classes_of_ones_own_and_a_topology_in_a_class(make: Any) -> None:
    class Router(Node):
        def config(self, **params: Any) -> Any:
            super().config(**params)
            self.routed = params["speed"]

    class Own(Topo):  # type: ignore[misc]
        def build(self) -> None:
            self.addHost("r0", cls=Router, speed=7, ip="10.0.0.9/24")
            self.addHost("d1", cls=Docker, dimage="x", defaultRoute="via 10.0.0.9")
            self.addSwitch("s1")
            self.addLink("r0", "s1", intfName1="r0-eth9")
            self.addLink("d1", "s1", bw=5)

    made = make(topo=Own())
    made.start()
    assert made["r0"].routed == 7
    assert "ip address replace 10.0.0.9/24 dev r0-eth9" in made.backend.said("r0")
    assert "ip route replace default via 10.0.0.9" in made.backend.said("d1")
    assert [c.name for c in made.controllers] == ["c0"]
    with pytest.raises(TopologyError, match="'r0' is there already"):
        made.addDocker("r0", dimage="x")


@pytest.mark.parametrize(
    ("cls", "ours"),
    [
        (node.OVSSwitch, containernet.OVSSwitch),
        (node.OVSBridge, containernet.OVSBridge),
        (nodelib.LinuxBridge, containernet.LinuxBridge),
        (containernet.LinuxBridge, containernet.LinuxBridge),
    ],
)
def test_mininets_own_classes_are_stood_for(cls: Any, ours: Any) -> None:
    assert net._lab_class(cls, switches.EQUIVALENTS, switches.LinuxBridge) is ours


def test_a_class_that_was_made_from_the_labs_stays_and_one_from_mininets_is_refused() -> None:
    class Own(containernet.TCLink):
        pass

    class Foreign(link.TCLink):  # type: ignore[misc]
        pass

    known = {"TCLink": containernet.TCLink}
    assert net._lab_class(Own, known, containernet.Link) is Own
    with pytest.raises(LabError, match="'Foreign' is not supported here; use Link of"):
        net._lab_class(Foreign, known, containernet.Link)


def test_a_network_opens_its_lab_only_when_something_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net.os, "geteuid", lambda: 0)
    monkeypatch.setattr(net.exit_cleanup, "register", lambda emulation: None)
    monkeypatch.setattr(ownership, "RUN", tmp_path)
    made = net.Containernet()
    assert (list(made), made.links, made.emulation.is_up) == ([], [], False)
    assert ownership.labs() == []
