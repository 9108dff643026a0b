"""Switches of Open vSwitch, as far as they can be told without root: what is asked of its programs."""

from __future__ import annotations

from typing import Any

import pytest

from lab.containernet import openvswitch
from lab.containernet.nodes import Node, NodeLocation
from lab.containernet.openvswitch import Options, datapath_id, port_argv
from lab.errors import CommandError, HostError, LabError, MachineError
from tests.unit.containernet_backends import CommandBackend


@pytest.mark.parametrize(
    ("name", "dpid", "digits"),
    [
        ("s1", None, "0000000000000001"),
        ("s255-b3", None, "00000000000000ff"),
        ("core", None, None),
        ("s1", "00:00:00:00:00:00:0a:0b", "0000000000000a0b"),
        ("s1", "1f", "000000000000001f"),
        ("s1", 31, "000000000000001f"),
    ],
)
def test_a_datapath_has_the_number_that_mininet_gives_it(name: str, dpid: Any, digits: str | None) -> None:
    assert datapath_id(name, dpid) == digits


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"dpid": "core"}, "dpid='core' is no number"),
        ({"dpid": "1" * 17}, "16 hexadecimal digits"),
        ({"failMode": "open"}, "failMode='open' is not supported"),
        ({"datapath": "dpdk"}, "datapath='dpdk' is not supported"),
        ({"inband": True}, "inband=True is not supported"),
        ({"listenPort": 6634}, "listenPort=6634"),
        ({"colour": "red"}, "colour='red'"),
        ({"failMode": "secure", "stp": True}, "stp=True is not supported with failMode='secure'"),
    ],
)
def test_what_a_switch_cannot_have_is_named_and_starts_nothing(
    switch: Any, backend: CommandBackend, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(LabError, match=said):
        switch(**params)
    assert backend.done == []
    assert not (backend.folder / "openvswitch").exists()


def test_a_bridge_is_what_was_asked() -> None:
    asked = {"failMode": "secure", "protocols": "OpenFlow10,OpenFlow13", "batch": True}
    assert " ".join(Options.of("s7", False, None, asked).argv("s7", "netdev")) == (
        "-- --may-exist add-br s7 -- set Bridge s7 datapath_type=netdev fail_mode=secure stp_enable=false "
        "protocols=OpenFlow10,OpenFlow13 other_config:datapath-id=0000000000000007"
    )
    ring = Options.of("core", True, 4096, {"protocols": ["OpenFlow13"]}).argv("core", "system")
    assert {"datapath_type=system", "fail_mode=standalone", "stp_enable=true"} < set(ring)
    assert {"protocols=OpenFlow13", "other_config:stp-priority=4096"} < set(ring)
    assert not any("datapath-id" in word for word in ring)
    assert port_argv("s1", "s1-eth2", 2)[-1] == "ofport_request=2"
    assert "ofport_request" not in " ".join(port_argv("s1", "sap", None))


def test_the_daemons_are_the_labs_own_and_started_once(switch: Any, backend: CommandBackend) -> None:
    s1 = switch()
    # given what the daemons make when they start
    for name in ("conf.db", "ovsdb-server.pid", "ovs-vswitchd.pid"):
        (backend.folder / "openvswitch" / name).touch()
    switch("s2")
    started = [line for line in backend.done if line.startswith("nsenter")]
    assert [line.split()[2] for line in started] == ["ovsdb-tool", "ovsdb-server", "ovs-vswitchd"]
    assert all(line.startswith("nsenter --net=/run/netns/x ") for line in started)
    folder = str(backend.folder / "openvswitch")
    assert all(env["LAB_ID"] == "abcd" and env["OVS_RUNDIR"] == folder for env in backend.marked)
    assert s1.datapath.environment["OVS_RUNDIR"] == folder


def test_ports_have_the_numbers_of_mininet_and_come_back_after_a_stop(
    switch: Any, backend: CommandBackend
) -> None:
    s1 = switch(failMode="secure")
    s1.datapath.attach("s1-eth4", 4)
    add = "-- --may-exist add-port s1 s1-eth4 -- set Interface s1-eth4 ofport_request=4"
    assert backend.said("ovs-vsctl")[-1] == add
    s1.stop(deleteIntfs=False)
    assert backend.said("ovs-vsctl")[-1] == "--if-exists del-br s1"
    s1.start()
    assert backend.said("ovs-vsctl")[-1].endswith(add)
    assert backend.said("ovs-ofctl") == []
    # and a controller makes it learn
    s1.start([object()])
    assert backend.said("ovs-ofctl")[-1].endswith("/s1.mgmt priority=0,actions=NORMAL")
    s1.detach("s1-eth4")
    assert backend.said("ovs-vsctl")[-1] == "--if-exists del-port s1 s1-eth4"


@pytest.mark.parametrize(("genl", "datapath"), [("Name: ovs_datapath", "system"), ("", "netdev")])
def test_checksums_are_written_for_a_datapath_in_user_space(
    switch: Any, backend: CommandBackend, genl: str, datapath: str
) -> None:
    backend.answers["genl"] = (0, genl, "")
    s1 = switch()
    assert s1.datapath.datapath_type == datapath
    far = Node("h1", place=NodeLocation(backend, "/run/netns/h1"))  # type: ignore[arg-type]
    s1.datapath.prepare_peer(far, "h1-eth0")
    assert ("ethtool -K h1-eth0 tx off" in backend.done) is (datapath == "netdev")
    assert switch("s2", datapath="user").datapath.datapath_type == "netdev"


def test_flows_are_asked_for_in_the_versions_of_the_switch(switch: Any, backend: CommandBackend) -> None:
    s1 = switch(protocols="OpenFlow13")
    backend.answers["ovs-ofctl"] = (0, "flows\n", "")
    assert s1.dpctl("add-flow", "'priority=1 actions=drop'") == "flows\n"
    where = f"unix:{backend.folder}/openvswitch/s1.mgmt"
    assert backend.said("ovs-ofctl") == [f"--protocols=OpenFlow13 add-flow {where} priority=1 actions=drop"]


def test_trouble_of_the_daemon_is_an_error(switch: Any, backend: CommandBackend) -> None:
    s1 = switch()
    backend.answers["ovs-ofctl"] = (1, "", "ovs-ofctl: unknown command 'x'\n")
    with pytest.raises(CommandError, match="unknown command 'x'"):
        s1.dpctl("x")
    said = "ovs-vsctl: Error detected while setting up 'e': No such device.  See ovs-vswitchd log.\nmore"
    backend.answers["ovs-vsctl"] = (0, "", said)
    with pytest.raises(HostError, match=r"switch s1: .* while setting up 'e': No such device; its log: "):
        s1.datapath.attach("e", 1)


def test_a_ring_is_ready_when_every_port_has_its_state(switch: Any, backend: CommandBackend) -> None:
    s1 = switch(stp=True)
    for number in (1, 2):
        s1.datapath.attach(f"s1-eth{number}", number)
    for states, ready in (("learning\nblocking\n", False), ("\n\n", False), ("forwarding\nblocking\n", True)):
        backend.answers["ovs-vsctl"] = (0, states, "")
        assert s1.connected() is ready


def test_user_space_without_ethtool_is_refused(
    switch: Any, backend: CommandBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvswitch.shutil, "which", lambda program: program != "ethtool" or None)
    with pytest.raises(MachineError, match="needs ethtool; install it"):
        switch()
