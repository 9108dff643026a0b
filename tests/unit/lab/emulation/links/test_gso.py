"""GSO limits: which ends of links hand over single packets. No root."""

from __future__ import annotations

from lab.emulation.links import gso
from lab.emulation.links.link import LinkState, Shape

LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0), Shape(10.0), "/x/a", "/x/b", "eth1", "eth3")


def test_only_ends_that_begin_or_cease_to_lose_are_touched() -> None:
    lossy = LINE.changed(("ba",), loss=1.0)

    assert gso.commands([], [LINE]) == {}
    assert gso.commands([], [lossy]) == {"/x/b": ["link set eth3 gso_max_segs 1"]}
    assert gso.commands([lossy], [lossy]) == {}
    assert gso.commands([lossy], [LINE]) == {"/x/b": ["link set eth3 gso_max_segs 65535"]}
