"""The control: no overlay at all, as with the studies' virtual machines.

An endpoint shares its host's network, with the same tools as every other endpoint. Static
routes lead over the links, so a hop is one link of the underlay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lab.hosts.host import Endpoint, Host
from lab.topology import Topology
from overlays.base import ENDPOINT_IMAGE
from overlays.common import endpoints, install_record, routes
from overlays.common.batch import Batch
from overlays.common.relaying import RelayingOverlay


class Underlay(RelayingOverlay):
    """Endpoints on the hosts' own network."""

    name = "underlay"
    summary = "no overlay: the hosts' own network, routed (the control, the thesis's VM)"
    hops = "routed underlay"
    modes = ("routed",)

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.claim(hosts, await self.installed(hosts))
        await routes.install(self.hosts, topology, self.name)

    async def ready(self, timeout: float = 60.0) -> None:
        """Nothing to wait for: routes hold from the moment they are set."""

    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        links = self.topology.links_of(host.name)
        endpoint = await endpoints.attach(
            self.name,
            host,
            image,
            name,
            "host",
            interface=links[0].interface(host.name),
            address=links[0].address(host.name),
        )
        return replace(
            endpoint, neighbours={link.other(host.name): link.address(host.name) for link in links}
        )

    async def mode(self) -> Mapping[str, str]:
        return {"mode": "routed", "mtu": str(min(link.mtu for link in self.topology.links))}

    async def rewire(self, topology: Topology) -> None:
        await self.reroute(topology)

    async def remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        await install_record.drop(routes.drop(Batch(), self.name), self.name).on(host)
