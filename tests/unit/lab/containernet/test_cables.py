"""Cables between nodes, as data."""

from __future__ import annotations

import pytest

from lab.containernet import cables
from lab.emulation.links.link import Shape
from lab.errors import TopologyError


def test_directions_of_a_cable_may_differ() -> None:
    a, b = (
        cables.CableEnd("d1", "/proc/1/ns/net", "d1-eth0"),
        cables.CableEnd("s1", "/run/netns/x", "s1-eth1"),
    )
    line = cables.cable("d1-s1", 4, a, b, Shape(delay=10.0), Shape(rate=5.0)).state
    assert (line.ab, line.ba) == (Shape(delay=10.0), Shape(rate=5.0))
    assert (line.end_a, line.end_b, line.interface_a) == ("/proc/1/ns/net", "/run/netns/x", "d1-eth0")


def test_names_that_a_kernel_cannot_hold_are_told_before() -> None:
    assert cables.short("d1-eth0") == "d1-eth0"
    with pytest.raises(TopologyError, match="'amsterdam-host-eth0' has more than the 15 letters"):
        cables.short("amsterdam-host-eth0")
