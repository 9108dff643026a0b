"""GSO limits: which ends of links hand over single packets. No root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.emulation.links import gso
from lab.emulation.links.link import LinkState, Shape
from lab.hosts.host import Result

LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0), Shape(10.0), "/x/a", "/x/b", "eth1", "eth3")


def test_only_ends_that_begin_or_cease_to_lose_are_touched() -> None:
    lossy = LINE.changed(("ba",), loss=1.0)

    assert gso.commands([], [LINE]) == {}
    assert gso.commands([], [lossy]) == {"/x/b": ["link set eth3 gso_max_segs 1"]}
    assert gso.commands([lossy], [lossy]) == {}
    assert gso.commands([lossy], [LINE]) == {"/x/b": ["link set eth3 gso_max_segs 65535"]}


async def test_each_host_is_told_in_its_own_namespace() -> None:
    ran = []

    async def run(argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Result:
        ran.append((argv[1], stdin))
        return Result(tuple(argv), 0, "", "", 0.0)

    lossy = LINE.changed(("ab", "ba"), loss=1.0)
    await gso.limit([LINE], [lossy], run)
    assert sorted(ran) == [
        ("--net=/x/a", b"link set eth1 gso_max_segs 1\n"),
        ("--net=/x/b", b"link set eth3 gso_max_segs 1\n"),
    ]
    await gso.limit([lossy], [lossy], run)
    assert len(ran) == 2
