"""A network's calls on a backend that only writes down what it is asked for: no root, no container."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.containernet import (
    Containernet,
    Controller,
    Docker,
    Node,
    OVSSwitch,
    TCLink,
    Topo,
    backend,
    net,
    openvswitch,
)
from lab.emulation import ownership
from lab.emulation.links.link import Shape
from lab.errors import LabError, TopologyError, UnknownName


class FakeBackend:
    """Takes every call, makes nothing."""

    def __init__(self, emulation: Any = None, emit: Any = None) -> None:
        self.owns_lab, self.lab_id = True, "abcd"
        self.emulation = SimpleNamespace(hosts={}, pids={}, container_ids={}, links=[], is_up=False)
        self.done: list[Any] = []

    def ensure_image(self, name: str, image: str | None, build_params: Any) -> str | None:
        return image

    def image_config(self, image: str) -> dict[str, Any]:
        return {"ExposedPorts": {"80/tcp": {}}}

    def start_container(self, name: str, image: str | None, params: Any) -> bool:
        self.done.append(("container", name, image, dict(params)))
        self.emulation.hosts[name] = SimpleNamespace(container=f"lab-abcd-{name}")
        self.emulation.pids[name] = 100 + len(self.emulation.pids)
        self.emulation.container_ids[name] = f"id of {name}"
        return True

    def remove_container(self, name: str) -> None:
        self.done.append(("drop", name))
        del self.emulation.hosts[name]

    def add_namespace(self, name: str) -> str:
        self.done.append(("namespace", name))
        return f"/run/netns/lab-abcd-{name}"

    def remove_namespace(self, path: str) -> None:
        self.done.append(("no namespace", path))

    def add_veth(self, a: Any, b: Any, mtu: int) -> None:
        self.done.append(("join", a.interface, b.interface))

    def add_shaped_link(self, a: Any, b: Any, ab: Shape, ba: Shape) -> str:
        self.done.append(("lay", a.interface, b.interface, ab, ba))
        return f"{a.node}-{b.node}"

    def delete_link(self, name: str) -> None:
        self.done.append(("take", name))

    def change_link(self, name: str, direction: str, params: Any) -> None:
        self.done.append(("change", name, direction, dict(params)))

    def run_in(self, namespace: str, argv: Sequence[str], name: str) -> subprocess.CompletedProcess[str]:
        self.done.append((name, " ".join(argv)))
        said = json.dumps([{"flags": ["UP"], "addr_info": [], "address": "02:00:00:00:00:01"}])
        return subprocess.CompletedProcess(argv, 0, said, "")

    def record_link(self) -> str:
        self.done.append("own link")
        return "sap-abcd-0"

    def run(self, argv: Sequence[str], **how: Any) -> Any:
        self.done.append(("this machine", " ".join(argv)))
        return SimpleNamespace(stdout="")

    def down(self) -> None:
        self.done.append("down")

    def said(self, name: str) -> list[str]:
        """All that was done with this machine's programs in one node's network."""
        return [what[1] for what in self.done if what[0] == name and isinstance(what[1], str)]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(net, "Backend", FakeBackend)
    monkeypatch.setattr(net.os, "geteuid", lambda: 0)

    monkeypatch.setattr(net.exit_cleanup, "register", lambda emulation: None)
    monkeypatch.setattr(openvswitch, "lacking", lambda: ["ovsdb-tool"])

    def build(**params: Any) -> Any:
        return Containernet(**params)

    return build


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


def test_parameters_of_one_end_hold_for_what_leaves_it(make: Any) -> None:
    made = make()
    d1, d2 = made.addDocker("d1", dimage="x"), made.addDocker("d2", dimage="x")
    link = made.addLink(d1, d2, params1={"delay": "1ms", "ip": "10.1.0.1/24"}, params2={"loss": 5}, bw=3)
    assert laid(made) == [
        ("lay", "d1-eth0", "d2-eth0", Shape(delay=1.0, rate=3.0), Shape(loss=5.0, rate=3.0))
    ]
    assert d1.IP() == "10.1.0.1"
    link.intf2.config(delay="9ms")
    assert made.backend.done[-1] == ("change", "d1-d2", "ba", {"delay": 9.0})
    plain = made.addLink(d1, d2)
    with pytest.raises(LabError, match="nothing shapes it; make it with cls=TCLink"):
        plain.config(delay="1ms")


def test_a_second_link_gets_no_address_of_its_own(make: Any) -> None:
    made = make()
    d1 = made.addDocker("d1", dimage="x")
    s1, s2 = made.addSwitch("s1"), made.addSwitch("s2")
    made.addLink(d1, s1)
    second = made.addLink(d1, s2)
    assert second.intf1.IP() is None
    d1.setIP("10.5.0.1", 16, intf=second.intf1)
    assert made.backend.said("d1")[-2:] == [
        "ip address replace 10.5.0.1/16 dev d1-eth1",
        "ip link set d1-eth1 up",
    ]


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


def test_this_machines_end_of_a_switch_is_recorded_before_it_is_made(make: Any) -> None:
    made = make()
    made.addExtSAP("sap1", "198.18.77.1/24")
    done = made.backend.done
    added = ("sap1", "ip link add here type veth peer name sap-abcd-0")
    assert done.index("own link") < done.index(added)
    made.removeExtSAP("sap1")
    assert ("this machine", "ip link delete sap-abcd-0") in done


def test_links_in_this_machines_own_network_are_of_the_lab_and_have_a_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path)
    lab: Any = SimpleNamespace(is_up=True, state=ownership.LabState.create())
    there = backend.Backend(lab, None)
    names = [there.record_link(), there.record_link()]
    assert names == [f"sap-{lab.state.lab_id}-0", f"sap-{lab.state.lab_id}-1"]
    assert [(owned.kind, owned.name) for owned in lab.state.owned()] == [("link", name) for name in names]


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


def test_another_containers_ipc_is_named_as_containernet_names_it(make: Any) -> None:
    made = make()
    made.addDocker("d1", dimage="x", ipc_mode="shareable")
    made.addDocker("d2", dimage="x", ipc_mode="container:mn.d1")
    assert made.backend.done[-1][3]["ipc_mode"] == "container:lab-abcd-d1"


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
