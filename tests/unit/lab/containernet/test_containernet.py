"""Mininet's and Containernet's calls, as far as they can be told without root."""

from __future__ import annotations

from typing import Any

import pytest
from mininet import link, node, nodelib

from lab import containernet
from lab.containernet import cables, net, port_forward, switches, tc_params
from lab.containernet.nodes import enter
from lab.containernet.ping_iperf import _rate
from lab.containernet.tc_params import milliseconds
from lab.emulation.links.link import Shape
from lab.errors import LabError, ShaperError, TopologyError


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10ms", 10.0),
        ("0.5s", 500.0),
        ("250us", 0.25),
        (7, 7.0),
        (" 1.5 ms ", 1.5),
        ("2msec", 2.0),
        ("1secs", 1e3),
    ],
)
def test_times_as_mininet_writes_them(text: str | float, ms: float) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize("text", ["fast", "10m", "1.2.3ms", "-5ms", ""])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(TopologyError, match=f"'{text}' is no time"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, Shape()),
        ({"delay": "100ms", "bw": 1}, Shape(delay=100.0, rate=1.0)),
        ({"bw": 2000, "loss": 10, "use_htb": True}, Shape(rate=2000.0, loss=10.0)),
        ({"delay": "5ms", "jitter": "1ms"}, Shape(delay=5.0, jitter=1.0)),
        ({"bw": 10, "max_queue_size": 100}, Shape(rate=10.0, queue=151_400)),
        ({"bw": 8, "latency_ms": 50, "use_tbf": True}, Shape(rate=8.0, queue=50_000)),
        ({"bw": None, "delay": None, "loss": 0, "use_hfsc": False, "gro": False, "txo": True}, Shape()),
    ],
)
def test_parameters_of_a_link_become_a_shape(params: dict[str, Any], shape: Shape) -> None:
    assert tc_params.shape(params) == shape


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"use_hfsc": True}, "use_hfsc=True cannot be had"),
        ({"enable_ecn": True}, "enable_ecn=True"),
        ({"enable_red": True}, "enable_red=True"),
        ({"speedup": 10}, "speedup=10.*params1 and params2"),
        ({"txo": False}, "txo=False"),
        ({"gro": True}, "gro=True"),
        ({"max_queue_size": 10}, "give bw as well"),
        ({"bw": 1, "max_queue_size": 10, "latency_ms": 5}, "say the same"),
        ({"bw": "fast"}, "bw is a number"),
        ({"delay": "soon"}, "'soon' is no time"),
    ],
)
def test_what_a_link_cannot_have_is_named(params: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        tc_params.shape(params)


@pytest.mark.parametrize("params", [{"bw": -1}, {"loss": 101}])
def test_absurd_values_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ShaperError):
        tc_params.shape(params)


def test_directions_of_a_cable_may_differ() -> None:
    a, b = (
        cables.CableEnd("d1", "/proc/1/ns/net", "d1-eth0"),
        cables.CableEnd("s1", "/run/netns/x", "s1-eth1"),
    )
    line = cables.cable("d1-s1", 4, a, b, Shape(delay=10.0), Shape(rate=5.0)).line
    assert (line.ab, line.ba) == (Shape(delay=10.0), Shape(rate=5.0))
    assert (line.end_a, line.end_b, line.interface_a) == ("/proc/1/ns/net", "/run/netns/x", "d1-eth0")


def test_a_shell_enters_only_the_network_of_a_node() -> None:
    there = ["nsenter", "--net=/run/netns/x", "--"]
    shell = ["mnexec", "-cdn", "env", "PS1=\x7f", "bash"]
    assert enter(shell, "/run/netns/x") == ["setsid", "--ctty", *there, "env", "PS1=\x7f", "bash"]
    assert enter(["mnexec", "-da", "42", "ping", "x"], "/run/netns/x") == ["setsid", *there, "ping", "x"]
    assert enter(["docker", "exec", "c", "ls"], "/run/netns/x") == ["setsid", "docker", "exec", "c", "ls"]


def test_names_that_a_kernel_cannot_hold_are_told_before() -> None:
    assert cables.short("d1-eth0") == "d1-eth0"
    with pytest.raises(TopologyError, match="'amsterdam-host-eth0' has more than the 15 letters"):
        cables.short("amsterdam-host-eth0")


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
    with pytest.raises(LabError, match="'Foreign' cannot be had here; use Link of"):
        net._lab_class(Foreign, known, containernet.Link)


@pytest.mark.parametrize(
    ("ports", "port_bindings", "everything", "found"),
    [
        ([], {}, False, []),
        ([9999], {9999: 9999}, False, [(9999, "127.0.0.1", 9999)]),
        ([], {"80/tcp": ("0.0.0.0", 8080)}, False, [(80, "0.0.0.0", 8080)]),
        ([], {80: None}, False, [(80, "127.0.0.1", 0)]),
        ([], {80: [8080, 8081]}, False, [(80, "127.0.0.1", 8080), (80, "127.0.0.1", 8081)]),
        (
            [80, (443, "tcp")],
            {80: 8080},
            True,
            [(80, "127.0.0.1", 8080), (443, "127.0.0.1", 0), (22, "127.0.0.1", 0)],
        ),
        ([80], {}, False, []),
    ],
)
def test_ports_are_published_as_asked(ports: Any, port_bindings: Any, everything: bool, found: Any) -> None:
    assert port_forward.bindings("d1", ports, port_bindings, ["22/tcp"], everything) == found


@pytest.mark.parametrize("port", ["53/udp", (53, "udp"), 0, 70000, "http"])
def test_only_tcp_ports_are_published(port: Any) -> None:
    with pytest.raises(TopologyError, match=r"'d1': .* is no TCP port"):
        port_forward.bindings("d1", [], {port: 1}, [], everything=False)


def test_throughput_is_said_as_iperf_says_it() -> None:
    assert _rate(9.55e6) == "9.55 Mbits/sec"
    assert _rate(2.5e9) == "2.5 Gbits/sec"
    assert _rate(9.55e6, "k") == "9.55e+03 Kbits/sec"
