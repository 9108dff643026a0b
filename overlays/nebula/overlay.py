"""Nebula: encrypted tunnels between hosts that know each other by certificates of one authority.

A host asks the lighthouse, which is on the first host, where another one is, and then sends straight to it.
With relays, hosts without a common link send through the first host, as those must that cannot reach each
other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.errors import OverlayError
from lab.hosts.daemons import log_file
from lab.hosts.host import Host, HostFacts
from lab.topology import Topology
from overlays.base import NO_TUN, Missing, Option
from overlays.common import endpoints, install_record, routes
from overlays.common.batch import Batch
from overlays.common.bridge import BridgedOverlay, answer_for_others
from overlays.nebula import status

DEVICE = "nebula-lab"
#: UDP.
PORT = 4242
#: Addresses of the hosts themselves in the overlay.
HOSTS = IPv4Network("10.91.0.0/16")
FOLDER = "/run/lab/nebula"
AUTHORITY, KEY, CONFIGURATION = f"{FOLDER}/ca", f"{FOLDER}/host", f"{FOLDER}/config.yml"
DAEMON = "nebula"
COMMAND = [DAEMON, "-config", CONFIGURATION]
#: The certificate authority's key and the hosts' are made once, for root only, and stay where they are made.
MAKE_AUTHORITY = (
    f"umask 077; mkdir -p {FOLDER}; [ -s {AUTHORITY}.crt ] || "
    f"nebula-cert ca -name lab -out-key {AUTHORITY}.key -out-crt {AUTHORITY}.crt; cat {AUTHORITY}.crt"
)
MAKE_KEY = (
    f"umask 077; mkdir -p {FOLDER}; [ -s {KEY}.key ] || "
    f"nebula-cert keygen -out-key {KEY}.key -out-pub {KEY}.pub >&2; cat {KEY}.pub"
)


class Nebula(BridgedOverlay):
    """One daemon per host; the first host has the certificate authority and the lighthouse."""

    name = "nebula"
    summary = (
        "Nebula: encrypted tunnels straight from host to host, found by a lighthouse; with relays or not"
    )
    hops = "routed underlay"
    modes = ("direct", "relayed")
    options = (
        Option("relays", "off", ("on", "off"), "hosts without a common link send through the first host"),
        Option("cipher", "aes", ("aes", "chachapoly"), "AES-256-GCM, or ChaCha20-Poly1305"),
        Option("mtu", "1300", (), "bytes; 1440 is the maximum on links of 1500", number=True),
        Option("subnet", "10.90.0.0/16", (), "addresses of endpoints; every host has a /24 of it"),
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        #: The name of the host with the lighthouse.
        self._lighthouse = ""

    @property
    def user_space(self) -> bool:
        return True

    @property
    def encrypts(self) -> bool:
        return True

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        there = {"nebula", "nebula-cert"} <= facts.binaries
        missing = [] if there else [Missing("the program nebula", "apt-get install nebula")]
        return missing if "tun" in facts.features else [*missing, NO_TUN]

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        chosen = await self.claim(hosts, await self.installed(hosts), lighthouse=hosts[0].name)
        self._lighthouse = chosen["lighthouse"]
        first = self.host_with(self._lighthouse, "its lighthouse")
        authority = (await first.run(["sh", "-c", MAKE_AUTHORITY])).stdout
        keys = await self.on_hosts(self._prepare)
        certificates = await self._sign(first, keys)
        await self.on_hosts(lambda host: self._start(host, authority, certificates[host.name]))

    async def _prepare(self, host: Host) -> str:
        """Make a host's bridge and key; returns the public key."""
        await self.network.create(host, self.number(host))
        batch = answer_for_others(Batch(), self.network.bridge).run(["sh", "-c", MAKE_KEY])
        return (await batch.on(host)).stdout

    async def _sign(self, first: Host, keys: Mapping[str, str]) -> dict[str, str]:
        """Let the authority sign the hosts' keys; one that is signed stays as it is."""
        batch = Batch()
        for name, key in keys.items():
            new, signed, crt = (f"{FOLDER}/signed/{name}.{what}" for what in ("new", "pub", "crt"))
            argv = ["nebula-cert", "sign", "-ca-crt", f"{AUTHORITY}.crt", "-ca-key", f"{AUTHORITY}.key"]
            argv += ["-name", name, "-ip", f"{self._vpn(name)}/{HOSTS.prefixlen}", "-in-pub", new]
            argv += ["-subnets", self.part(name), "-out-crt", crt]
            sign = Batch().run(["rm", "-f", crt]).run(argv).run(["cp", new, signed])
            batch.write(new, key).unless(["cmp", "-s", new, signed], sign).run(["cat", crt])
        printed = (await batch.on(first)).stdout
        return dict(zip(keys, status.certificates(printed), strict=True))

    def _vpn(self, name: str) -> IPv4Address:
        """Return a host's own address in the overlay."""
        return HOSTS[self.topology.host(name).number]

    async def _start(self, host: Host, authority: str, certificate: str) -> None:
        batch = routes.add(Batch(), host.name, self.topology, self.name)
        routes.add_tunnel(batch, host.name, self.topology, self.name, PORT)
        batch.write(f"{FOLDER}/authority.crt", authority).write(f"{KEY}.crt", certificate)
        batch.write(CONFIGURATION, json.dumps(self.configuration(host), indent=1))
        await batch.start(DAEMON, COMMAND).on(host)

    def configuration(self, host: Host) -> Mapping[str, Any]:
        """Return what a host's daemon is told, which is YAML as JSON is.

        Of all its addresses a host tells only the first, to which all others have routes. With relays, it
        sends straight to no one but the first host and its neighbours.
        """
        first, relays = host.name == self._lighthouse, self.settings["relays"] == "on"
        lighthouse: dict[str, Any] = {
            "am_lighthouse": first,
            "hosts": [] if first else [str(self._vpn(self._lighthouse))],
            "local_allow_list": {f"{self.topology.address(host.name)}/32": True},
        }
        if relays and not first:
            near = {self._lighthouse, *self.topology.neighbours(host.name)}
            lighthouse["remote_allow_list"] = {f"{self.topology.address(n)}/32": True for n in sorted(near)}
        anything = [{"port": "any", "proto": "any", "host": "any"}]
        return {
            "pki": {"ca": f"{FOLDER}/authority.crt", "cert": f"{KEY}.crt", "key": f"{KEY}.key"},
            "static_host_map": {
                str(self._vpn(self._lighthouse)): [f"{self.topology.address(self._lighthouse)}:{PORT}"]
            },
            "lighthouse": lighthouse,
            "listen": {"host": "0.0.0.0", "port": PORT},
            "punchy": {"punch": False},
            "relay": {
                "am_relay": relays and first,
                "use_relays": relays and not first,
                "relays": [str(self._vpn(self._lighthouse))] if relays and not first else [],
            },
            "cipher": self.settings["cipher"],
            "tun": {
                "dev": DEVICE,
                "mtu": int(self.settings["mtu"]),
                "unsafe_routes": [
                    {"route": self.part(h.name), "via": str(self._vpn(h.name))}
                    for h in self.topology.hosts
                    if h.name != host.name
                ],
            },
            "logging": {"level": "info", "format": "json"},
            "firewall": {"outbound": anything, "inbound": anything},
        }

    async def ready(self, timeout: float = 60.0) -> None:
        """Return once every host has a tunnel to every other; one of the two makes it, for a first packet."""
        await self.wait_for(self._lacking, timeout, "its tunnels")

    async def _lacking(self, host: Host) -> str:
        """Return the hosts without a tunnel; a packet to each makes one.

        Only one of two hosts sends it. Where both ask the relay for each other at the same time, the relay
        may mix the two requests up and forward nothing between them from then on (Nebula 1.6.1: one of
        three labs of six hosts). The first of the two sends it, but where it still has a tunnel: no word of
        the end of a daemon that left may have come through a relay.
        """
        await self.check_daemon(host, DAEMON)
        there = await self._tunnels(host)
        missing = [other for other in self.reachable(host) if other.name not in there]
        batch = Batch()
        for other in missing:
            if self.number(other) > self.number(host) or host.name in await self._tunnels(other):
                batch.attempt(["ping", "-c1", "-W1", str(self._vpn(other.name))])
        await batch.on(host)
        return f"no tunnel to {', '.join(other.name for other in missing)}" if missing else ""

    async def _tunnels(self, host: Host) -> dict[str, str]:
        """Return by name how a host's tunnels go, by its daemon's log."""
        asked = ["grep", "-F", "-e", status.RECEIVED, "-e", status.CLOSED, log_file(DAEMON)]
        found = status.tunnels((await host.run(asked, check=False)).stdout)
        names = {str(self._vpn(other.name)): other.name for other in self.hosts}
        return {names[address]: way for address, way in found.items() if address in names}

    async def mode(self) -> Mapping[str, str]:
        """Return how packets go, by the daemons' logs: all direct, or some by way of the first host."""
        await self.check()
        ways = await self.on_hosts(self._tunnels)
        relayed = {
            frozenset((host, other))
            for host, others in ways.items()
            for other, way in others.items()
            if way == status.RELAYED
        }
        by = {"relayed": f"{len(relayed)} pairs by {self._lighthouse}"} if relayed else {}
        return {
            "mode": status.RELAYED if relayed else status.DIRECT,
            **by,
            "encryption": "on",
            "cipher": self.settings["cipher"],
            "mtu": self.settings["mtu"],
        }

    async def report(self) -> Mapping[str, Any]:
        """Return per host how its tunnels go."""
        return await self.on_hosts(self._tunnels)

    def daemons(self, host: Host) -> Sequence[str]:
        return (DAEMON,)

    async def relaunch(self) -> None:
        await self.on_hosts(lambda host: host.stop(DAEMON))
        await self.on_hosts(lambda host: Batch().start(DAEMON, COMMAND).on(host))
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        """Give the hosts other routes; with relays, daemons restart, because they have other neighbours."""
        routes.refuse_gap(self.name, topology, self.hosts)
        await self.reroute(topology, PORT)
        if self.settings["relays"] == "on":
            await self.on_hosts(lambda host: host.stop(DAEMON))
            await self.install(self.hosts, topology)

    async def leave(self, host: Host) -> None:
        if host.name == self._lighthouse:
            raise OverlayError(
                f"nebula cannot lose {host.name}, which has the lighthouse; uninstall it on all hosts"
            )
        await super().leave(host)

    async def remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        gone = Batch().stop(DAEMON).attempt(["ip", "link", "del", DEVICE])
        gone = routes.drop(await self.network.remove(gone, host), self.name)
        await install_record.drop(gone.run(["rm", "-rf", FOLDER]), self.name).on(host)
