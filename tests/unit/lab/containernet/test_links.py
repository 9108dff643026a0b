"""Interfaces and links, on a backend that makes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from lab.emulation.links.link import Shape
from lab.errors import LabError


def laid(made: Any) -> list[Any]:
    return [what for what in made.backend.done if what[0] in ("join", "lay")]


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
    with pytest.raises(LabError, match="it has no shaper; make it with cls=TCLink"):
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


def test_a_parameter_that_is_none_is_refused_with_those_that_there_are(make: Any) -> None:
    made = make()
    d1, d2 = made.addDocker("d1", dimage="x"), made.addDocker("d2", dimage="x")
    with pytest.raises(LabError, match="link d1-d2: bandwidth is not supported; a link can have bw, delay,"):
        made.addLink(d1, d2, bandwidth=1)
    assert laid(made) == []
