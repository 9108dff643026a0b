"""Overlays whose hosts forward for each other: who may come and go, and that all are left in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.host import Endpoint, Host
from lab.topology import Topology
from overlays.common.relaying import RelayingOverlay
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


class Relay(RelayingOverlay):
    """Remembers which hosts it was taken off; `stubborn` is one that refuses."""

    name = "relay"

    def __init__(self, stubborn: str = "") -> None:
        super().__init__()
        self.stubborn, self.removed = stubborn, list[str]()

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.hosts, self.topology = tuple(hosts), topology

    async def ready(self, timeout: float = 60.0) -> None: ...

    async def attach(self, host: Host, image: str = "", name: str = "endpoint") -> Endpoint:
        raise NotImplementedError

    async def mode(self) -> Mapping[str, str]:
        return {}

    async def remove(self, host: Host) -> None:
        if host.name == self.stubborn:
            raise OverlayError(f"{host.name} refuses")
        self.removed.append(host.name)


def hosts(*names: str) -> list[Any]:
    return [FakeHost(name) for name in names]


async def test_a_host_joins_and_leaves_at_an_end() -> None:
    overlay, (ams, prg, bra) = Relay(), hosts("AMS", "PRG", "BRA")
    await overlay.install([ams, prg], CHAIN)
    await overlay.join(bra)
    await overlay.leave(ams)
    assert [host.name for host in overlay.hosts] == ["PRG", "BRA"]
    assert overlay.removed == ["AMS"]


async def test_a_gap_is_refused_before_anything_is_done() -> None:
    overlay, (ams, prg, bra) = Relay(), hosts("AMS", "PRG", "BRA")
    await overlay.install([ams, prg, bra], CHAIN)
    with pytest.raises(OverlayError, match="relay: AMS would reach BRA only through a host"):
        await overlay.leave(prg)
    assert overlay.removed == []


async def test_hosts_after_one_that_fails_are_left_as_well() -> None:
    overlay = Relay(stubborn="PRG")
    await overlay.install(hosts("AMS", "PRG", "BRA"), CHAIN)
    with pytest.raises(OverlayError, match="PRG refuses"):
        await overlay.uninstall()
    assert overlay.removed == ["AMS", "BRA"]
