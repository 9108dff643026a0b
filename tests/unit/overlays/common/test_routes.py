"""Who may join or leave an overlay that relays: a gap in the middle would part its hosts."""

from __future__ import annotations

import pytest

from lab import catalog
from lab.errors import OverlayError
from overlays.common.routes import refuse_gap
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


def hosts(*names: str) -> list[FakeHost]:
    return [FakeHost(name) for name in names]


def test_hosts_side_by_side_are_whole() -> None:
    refuse_gap("tinc", CHAIN, hosts("AMS", "PRG", "BRA"))
    refuse_gap("tinc", CHAIN, hosts("LJU"))
    refuse_gap("tinc", catalog.topology("ring"), hosts("AMS", "PRG"))


@pytest.mark.parametrize("names", [("AMS", "BRA"), ("AMS", "PRG", "LJU", "MIL")])
def test_a_host_that_is_missing_in_the_middle_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(OverlayError, match=r"tinc: AMS would reach \w+ only through a host"):
        refuse_gap("tinc", CHAIN, hosts(*names))


def test_parts_that_were_never_joined_are_not_a_gap() -> None:
    pairs = catalog.topology("four_pairs")
    refuse_gap("tinc", pairs, [FakeHost(host.name) for host in pairs.hosts])
