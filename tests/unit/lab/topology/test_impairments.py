"""The impairments of a link: one definition, from which names, ranges and defaults come."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from lab.emulation.links.link import Shape
from lab.topology import LinkSpec, impairments
from lab.topology.impairments import CommonImpairments, Impairments


def test_links_and_shapes_have_the_impairments_and_define_none_of_their_own() -> None:
    common = {one.name for one in fields(CommonImpairments)}

    assert set(impairments.PARAMETERS) == common | {"delay"} == {one.name for one in fields(Impairments)}
    assert common < {one.name for one in fields(LinkSpec)}
    assert {one.name for one in fields(Shape)} == {*impairments.PARAMETERS, "mtu"}
    assert set(impairments.RANGES) == set(impairments.PARAMETERS) - {"distribution"}
    assert set(impairments.CLEARABLE) == {"rate", "burst", "queue"}


def test_impairments_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Impairments(delay=5.0).delay = 6.0  # type: ignore[misc]
    assert replace(Impairments(delay=5.0), loss=1.0) == Impairments(5.0, loss=1.0)


def test_a_link_that_runs_may_lose_everything_and_a_topology_may_not() -> None:
    assert list(impairments.running_faults({"loss": 100, "rate": None})) == []
    assert list(impairments.faults({"loss": 100})) == ["loss 100 percent is not between 0 and 99.9"]
    assert list(impairments.running_faults({"loss": 101})) == ["loss 101 percent is not between 0 and 99.9"]
