"""WireGuard: encrypted tunnels between hosts, in their kernels, or in user space where a kernel has none.

A tunnel carries IP packets. Every host routes the subnets of the others' endpoints into one device, and the
device knows by a packet's address which peer's key it is encrypted for (``AllowedIPs``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from time import monotonic
from typing import Any

from lab.hosts.host import Host, HostFacts
from lab.topology import Topology
from overlays.base import NO_TUN, Missing, Option
from overlays.common import endpoints, install_record, routes
from overlays.common.batch import Batch
from overlays.common.bridge import BridgedOverlay, answer_for_others

DEVICE = "wg-lab"
#: UDP; 51820, which most others take, is Flannel's backend's.
PORT = 51821
FOLDER = "/run/lab/wireguard"
KEY = f"{FOLDER}/private.key"
DAEMON = "wireguard-go"
COMMAND = ["env", "LOG_LEVEL=verbose", DAEMON, "--foreground", DEVICE]
#: Prints a host's public key; the private one is made once, can be read by root only, and stays there.
MAKE_KEY = f"umask 077; mkdir -p {FOLDER}; [ -s {KEY} ] || wg genkey > {KEY}; wg pubkey < {KEY}"
#: Gives the device its settings: its input are all peers. The private key goes from file to program.
CONFIGURE = (
    f"{{ printf '[Interface]\\nListenPort = {PORT}\\nPrivateKey = '; cat {KEY} -; }} "
    f"| wg syncconf {DEVICE} /dev/stdin"
)
#: A host that relays sends a packet out of the device by which it came. The kernel would tell the sender of
#: a shorter path, which does not exist. Redirects are sent if one of two switches is on (ip-sysctl). So both
#: are off here, and the old value of the one for all devices is kept. Other devices keep their own switch.
ALL = "/proc/sys/net/ipv4/conf/all/send_redirects"
NO_REDIRECTS = (
    f"[ -e {FOLDER}/redirects ] || cat {ALL} > {FOLDER}/redirects; "
    f"echo 0 > {ALL}; echo 0 > /proc/sys/net/ipv4/conf/{DEVICE}/send_redirects"
)
REDIRECTS_AGAIN = f"[ ! -e {FOLDER}/redirects ] || cat {FOLDER}/redirects > {ALL}"
#: How long wireguard-go may take to make its device (s).
START = 10.0
#: How long (s) the later of two hosts waits for the first packet of the other: longer than a round trip.
TURN = 1.0
NO_WG = Missing("the program wg", "apt-get install wireguard-tools")
NO_KERNEL = Missing("the link kind 'wireguard' in its kernel", "load the wireguard module, or use mode=user")
NO_PROGRAM = Missing(
    "WireGuard in its kernel and the program wireguard-go", "apt-get install wireguard-go, or load the module"
)


class WireGuard(BridgedOverlay):
    """One device per host; its peers are all other hosts, or the neighbours, which relay."""

    name = "wireguard"
    summary = "WireGuard: encrypted tunnels between all hosts, or between neighbours that relay"
    hops = "routed underlay"
    modes = ("kernel", "user")
    options = (
        Option("mode", "auto", ("auto", *modes), "the part that encrypts; auto is the kernel if possible"),
        Option("topology", "mesh", ("mesh", "neighbours"), "the hosts at the other ends of a host's tunnels"),
        Option("mtu", "1420", (), "bytes; 1440 is the most that fits on links of 1500", number=True),
        Option("subnet", "10.70.0.0/16", (), "addresses of endpoints; every host has a /24 of it"),
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self._relays = self.settings["topology"] == "neighbours"
        if self._relays:
            self.hops = "overlay"
        #: The hosts on which wireguard-go carries the packets.
        self._in_user_space: set[str] = set()
        #: Public keys by host, and for each host the peer to which it hands what is for each other host.
        self._keys: dict[str, str] = {}
        self._onward: dict[str, dict[str, str]] = {}

    @property
    def user_space(self) -> bool:
        """True in mode=user; for mode=auto it is known once the hosts are, whose kernels may lack it."""
        return self.settings["mode"] == "user" or bool(self._in_user_space)

    @property
    def encrypts(self) -> bool:
        return True

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing = [] if "wg" in facts.binaries else [NO_WG]
        if self._by_kernel(facts):
            return missing if "wireguard" in facts.link_kinds else [*missing, NO_KERNEL]
        missing += [] if DAEMON in facts.binaries else [NO_PROGRAM]
        return missing if "tun" in facts.features else [*missing, NO_TUN]

    def _by_kernel(self, facts: HostFacts) -> bool:
        asked = self.settings["mode"]
        return asked == "kernel" or (asked == "auto" and "wireguard" in facts.link_kinds)

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        await self.claim(hosts, await self.installed(hosts))
        facts = await self.on_hosts(lambda host: host.facts())
        self._in_user_space = {name for name, one in facts.items() if not self._by_kernel(one)}
        await self._connect()

    async def _connect(self) -> None:
        """Make every host's device, then give each its peers and routes."""
        self._keys = await self.on_hosts(self._prepare)
        self._onward = self._find_onward()
        await self.on_hosts(self._configure)

    async def _prepare(self, host: Host) -> str:
        """Make a host's bridge, device and key, what is there excepted; returns the public key."""
        await self.network.create(host, self.number(host))
        batch = answer_for_others(Batch(), self.network.bridge)
        if host.name in self._in_user_space:
            batch.start(DAEMON, COMMAND).wait(["wg", "show", DEVICE], START)
        else:
            make = Batch().run(["ip", "link", "add", DEVICE, "type", "wireguard"])
            batch.unless(["ip", "link", "show", DEVICE], make)
        # a daemon that runs is said to run, before the key
        return (await batch.run(["sh", "-c", MAKE_KEY]).on(host)).stdout.split()[-1]

    def _find_onward(self) -> dict[str, dict[str, str]]:
        if self._relays:
            return routes.relays(self.topology, self.hosts)
        return {host.name: {other.name: other.name for other in self.reachable(host)} for host in self.hosts}

    async def _configure(self, host: Host) -> None:
        batch = Batch().feed(["sh", "-c", CONFIGURE], self.peers(host))
        batch.run(["ip", "link", "set", DEVICE, "mtu", self.settings["mtu"], "up"])
        if self._relays:
            batch.run(["sh", "-c", NO_REDIRECTS])
        else:
            routes.add(batch, host.name, self.topology, self.name)
            routes.add_tunnel(batch, host.name, self.topology, self.name, PORT)
        own, proto = str(self._own_address(host)), str(routes.mark(self.name))
        for other in self._onward[host.name]:
            way = ["dev", DEVICE, "src", own, "proto", proto]
            batch.run(["ip", "route", "replace", self.part(other), *way])
        result = await batch.on(host, check=False)
        if result.status:
            await self.check()  # a daemon that did not start says why
            result.checked(host.name)

    def peers(self, host: Host) -> str:
        """Return what a host's device is told of its peers, as wg(8) reads it."""
        onward, sections = self._onward[host.name], []
        for peer in dict.fromkeys(onward.values()):
            behind = ", ".join(self.part(other) for other, via in onward.items() if via == peer)
            sections.append(
                f"\n[Peer]\nPublicKey = {self._keys[peer]}\n"
                f"Endpoint = {self._endpoint(host, peer)}:{PORT}\nAllowedIPs = {behind}\n"
            )
        return "".join(sections)

    def _endpoint(self, host: Host, peer: str) -> str:
        """Return the address by which a host knows a peer: a neighbour's is the one on their link."""
        return (
            self.topology.link(host.name, peer).address(peer) if self._relays else self.topology.address(peer)
        )

    def _own_address(self, host: Host) -> IPv4Address:
        return self.network.part(host.name, self.number(host))[1]

    async def ready(self, timeout: float = 60.0) -> None:
        """Return once every host has shaken hands with all its peers, which it does for a first packet."""
        began = monotonic()
        await self.wait_for(
            lambda host: self._lacking(host, both=monotonic() - began > TURN), timeout, "its handshakes"
        )

    async def _lacking(self, host: Host, *, both: bool) -> str:
        """Return the peers without a handshake; a packet to each provokes it.

        Of two hosts the earlier one sends it, until `both` may: when both begin a handshake at one moment,
        each drops the other's answer to its own, and they try again after 5 s.
        """
        shown, peers = await self._show(host, "latest-handshakes"), set(self._onward[host.name].values())
        missing = [h for h in self.hosts if h.name in peers and shown.get(self._keys[h.name], ["0"]) == ["0"]]
        batch = Batch()
        for other in missing:
            if both or self.number(host) < self.number(other):
                batch.attempt(["ping", "-c1", "-W1", str(self._own_address(other))])
        await batch.on(host)
        return f"no handshake with {', '.join(other.name for other in missing)}" if missing else ""

    async def _show(self, host: Host, what: str) -> dict[str, list[str]]:
        """Return what a device tells of each peer, by its public key."""
        result = await host.run(["wg", "show", DEVICE, what], check=False)
        if result.status:
            await self.check()
            result.checked(host.name)
        return parse(result.stdout)

    async def mode(self) -> Mapping[str, str]:
        """Return who encrypts, as the kernels say: a device is WireGuard's own kind, or a program's (tun)."""
        return {
            "mode": "+".join(sorted(set((await self.on_hosts(self._kind)).values()))),
            "topology": self.settings["topology"],
            "encryption": "on",
            "mtu": self.settings["mtu"],
        }

    async def _kind(self, host: Host) -> str:
        shown = json.loads((await host.run(["ip", "-json", "-details", "link", "show", DEVICE])).stdout)
        return "kernel" if shown[0]["linkinfo"]["info_kind"] == "wireguard" else "user"

    async def report(self) -> Mapping[str, Any]:
        """Return per host what its device tells of its peers; of keys the public ones only."""
        aspects = ("endpoints", "allowed-ips", "latest-handshakes", "transfer")
        batch = Batch()
        for aspect in aspects:
            batch.show(["wg", "show", DEVICE, aspect])
        results = await self.on_hosts(lambda host: batch.on(host, check=False))
        return {name: result.stdout for name, result in results.items()}

    async def multihop_proof(self) -> Mapping[str, Mapping[str, str]]:
        """Return, per host, the hosts that it reaches through another one, from the keys of the peers."""
        peer_of = {key: name for name, key in self._keys.items()}
        behind = {self.part(name): name for name in self._keys}
        shown = await self.on_hosts(lambda host: self._show(host, "allowed-ips"))
        return {
            host: {
                behind[part]: peer_of[key]
                for key, parts in allowed.items()
                for part in parts
                if behind[part] != peer_of[key]
            }
            for host, allowed in shown.items()
        }

    def daemons(self, host: Host) -> Sequence[str]:
        return (DAEMON,) if host.name in self._in_user_space else ()

    async def relaunch(self) -> None:
        if not self._in_user_space:
            await super().relaunch()
        await self.on_hosts(lambda host: host.stop(DAEMON))
        await self._connect()
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        routes.refuse_gap(self.name, topology, self.hosts)
        if not self._relays:
            await self.reroute(topology, PORT)
        await self.install(self.hosts, topology)

    async def leave(self, host: Host) -> None:
        await super().leave(host)
        gone = Batch().attempt(["ip", "route", "del", self.part(host.name), "dev", DEVICE])
        await self.on_hosts(gone.on)
        await self.install(self.hosts, self.topology)

    async def remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        gone = Batch().stop(DAEMON).attempt(["ip", "link", "del", DEVICE])
        gone = routes.drop(await self.network.remove(gone, host), self.name)
        gone.attempt(["rmdir", "/run/wireguard"]).run(["sh", "-c", REDIRECTS_AGAIN])
        await install_record.drop(gone.run(["rm", "-rf", FOLDER]), self.name).on(host)


def parse(text: str) -> dict[str, list[str]]:
    """Read the lines of ``wg show DEVICE ASPECT``: words by the public key that each begins with."""
    return {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}
