"""Overlays whose hosts forward for each other: they need hosts that are connected."""

from __future__ import annotations

from abc import abstractmethod

from lab.hosts.host import Host
from lab.util.concurrency import together
from overlays.base import Overlay
from overlays.common import routes


class RelayingOverlay(Overlay):
    """An overlay that refuses a gap between its hosts, and comes and goes host by host."""

    @abstractmethod
    async def remove(self, host: Host) -> None:
        """Remove the overlay from one host, and restore that host."""

    async def join(self, host: Host) -> None:
        routes.refuse_gap(self.name, self.topology, (*self.hosts, host))
        await self.install((*self.hosts, host), self.topology)

    async def leave(self, host: Host) -> None:
        rest = tuple(other for other in self.hosts if other is not host)
        routes.refuse_gap(self.name, self.topology, rest)
        await self.remove(host)
        self.hosts = rest

    async def uninstall(self) -> None:
        """Remove the overlay from all hosts, also from those after one that fails."""
        await together(self.remove(host) for host in self.hosts)
        self.hosts = ()
