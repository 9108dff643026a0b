"""A bridge network on every host, of which an overlay's daemon is a port: Docker's, or a plain bridge.

All have one subnet, and each host gives its endpoints addresses of a /24 of its own in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Endpoint, Host
from overlays.base import ENDPOINT_IMAGE
from overlays.common import docker_api, endpoints
from overlays.common.batch import Batch
from overlays.common.namespaces import BridgePort
from overlays.common.relaying import RelayingOverlay


@dataclass(frozen=True)
class BridgeNetwork:
    """The network of one overlay: Docker's name for it, its bridge, its subnet, and its MTU (bytes)."""

    overlay: str
    name: str
    bridge: str
    subnet: str
    mtu: str

    def part(self, host: str, number: int) -> IPv4Network:
        """Return the addresses that the host of this number gives to its endpoints; the first is its own.

        Raises:
            OverlayError: the subnet is too small for a host of this number.
        """
        subnet = IPv4Network(self.subnet)
        part = IPv4Network((int(subnet.network_address) + 256 * number, 24))
        if not part.subnet_of(subnet):
            raise OverlayError(
                f"{self.overlay}: {subnet} has no /24 for host {host}, number {number}; set subnet=…"
            )
        return part

    async def create(self, host: Host, number: int) -> None:
        """Make the network on a host; one that is there stays.

        Raises:
            OverlayError: Docker refused; the message has its words.
        """
        part = self.part(host.name, number)
        if not (await host.facts()).docker:
            await plain(Batch(), self.bridge, self._own(part), self.mtu).on(host)
            return
        made = await docker_api.call(host, "POST", "networks/create", self._request(part))
        if not made.ok and made.status != docker_api.EXISTS:
            raise OverlayError(f"{self.overlay}: network {self.name!r} on {host.name}: {made.message}")

    async def remove(self, batch: Batch, host: Host) -> Batch:
        """Add to a batch that the network goes."""
        if (await host.facts()).docker:
            return batch.attempt(["docker", "network", "rm", self.name])
        return batch.attempt(["ip", "link", "del", self.bridge])

    def port(self, host: Host, number: int) -> BridgePort:
        """Return the place of an endpoint on the bridge of a host without Docker."""
        return BridgePort(self.bridge, int(self.mtu), ["next", self._own(self.part(host.name, number))])

    def _own(self, part: IPv4Network) -> str:
        """Return the bridge's own address, with the length of the prefix of all."""
        return f"{part[1]}/{IPv4Network(self.subnet).prefixlen}"

    def _request(self, part: IPv4Network) -> dict[str, Any]:
        own = {"Subnet": self.subnet, "IPRange": str(part), "Gateway": str(part[1])}
        options = {"bridge.name": self.bridge, "driver.mtu": self.mtu}
        return {
            "Name": self.name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Internal": True,
            "IPAM": {"Config": [own]},
            "Options": {f"com.docker.network.{key}": value for key, value in options.items()},
        }


class BridgedOverlay(RelayingOverlay):
    """An overlay whose endpoints are ports of a `BridgeNetwork`; it has options ``subnet`` and ``mtu``."""

    @property
    def network(self) -> BridgeNetwork:
        """The bridge network that every host has."""
        docker, bridge = f"lab-{self.name}", f"br-{self.name}"
        return BridgeNetwork(self.name, docker, bridge, self.settings["subnet"], self.settings["mtu"])

    def part(self, host: str) -> str:
        """Return the subnet of the endpoints on a host."""
        return str(self.network.part(host, self.topology.host(host).number))

    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        network = self.network
        port = network.port(host, self.number(host))
        return await endpoints.attach(self.name, host, image, name, network.name, port=port)


def plain(batch: Batch, bridge: str, address: str, mtu: str) -> Batch:
    """Add to a batch that a bridge with this address is made; one that is there stays."""
    batch.unless(["ip", "link", "show", bridge], Batch().run(["ip", "link", "add", bridge, "type", "bridge"]))
    batch.run(["ip", "address", "replace", address, "dev", bridge])
    return batch.run(["ip", "link", "set", bridge, "mtu", mtu, "up"])


def answer_for_others(batch: Batch, bridge: str) -> Batch:
    """Add to a batch that a bridge answers ARP for every address to which its host has another route.

    Endpoints take the whole subnet for their neighbourhood, and a tunnel of IP packets carries no ARP.
    The kernel would wait up to 0.8 s before it answers for another (arp(7)).
    """
    batch.run(["sysctl", "-q", "-w", f"net.ipv4.conf.{bridge}.proxy_arp=1"])
    return batch.run(["sysctl", "-q", "-w", f"net.ipv4.neigh.{bridge}.proxy_delay=0"])
