"""Yggdrasil: nodes that find their way over each other by a spanning tree, with end-to-end encryption.

Every node has one IPv6 address, which comes from its key. Endpoints have IPv4 addresses and a network of
their own; so each host has a VXLAN device, whose packets go from node to node by those addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from lab.errors import OverlayError
from lab.hosts.daemons import status_argv
from lab.hosts.host import Host, HostFacts
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import NO_TUN, Missing, Option
from overlays.common import endpoints, install_record, routes
from overlays.common.batch import Batch
from overlays.common.bridge import BridgedOverlay
from overlays.yggdrasil import admin

#: The node's own device, and the one that carries Ethernet frames to other nodes' addresses.
TUN, VXLAN = "ygg-lab", "vxlan-ygg"
#: TCP, between nodes; and VXLAN's UDP port inside the overlay: 4789 and 8472 are other overlays'.
PORT, INNER_PORT, VNI = 9001, 4790, 80
FOLDER = "/run/lab/yggdrasil"
KEYS, CONFIGURATION, SOCKET = f"{FOLDER}/keys", f"{FOLDER}/yggdrasil.conf", f"{FOLDER}/admin.sock"
DAEMON = "yggdrasil"
COMMAND = [DAEMON, "-useconffile", CONFIGURATION]
#: A node's keys are made once, can be read by root only, and stay on the host: lines of its configuration.
MAKE_KEYS = (
    f"umask 077; mkdir -p {FOLDER}; [ -s {KEYS} ] || "
    f"yggdrasil -genconf -json | grep -E '\"(Public|Private)Key\"' > {KEYS}"
)
#: Puts the keys before the rest of the configuration, which is its input.
CONFIGURE = f"umask 077; {{ echo '{{'; cat {KEYS} -; }} > {CONFIGURATION}"
#: How long a node may take to open its socket (s).
START = 10.0
#: How long a connection may take before a node is told once more to make it (s).
CONNECT = 5.0
#: How many other nodes one question sends a packet to, each of which may wait for a second.
AT_ONCE = 5
#: How long paths may take that nobody used of late (s).
PROOF = 20.0
#: Whoever is in no table of addresses yet is asked for at every other node.
EVERYBODY = "00:00:00:00:00:00"


class Yggdrasil(BridgedOverlay):
    """One node per host, each with connections to its neighbours on the links."""

    name = "yggdrasil"
    summary = "Yggdrasil: encrypted end to end, its nodes relay for each other along a spanning tree"
    hops = "overlay"
    modes = ("tcp",)
    options = (
        Option("mtu", "1376", (), "bytes, by default as Weave's so that they compare", number=True),
        Option("subnet", "10.80.0.0/16", (), "addresses of endpoints; every host has a /24 of it"),
    )

    @property
    def user_space(self) -> bool:
        return True

    @property
    def encrypts(self) -> bool:
        return True

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing = []
        if not {"yggdrasil", "yggdrasilctl"} <= facts.binaries:
            missing.append(Missing("the program yggdrasil", "apt-get install yggdrasil"))
        if "tun" not in facts.features:
            missing.append(NO_TUN)
        if "ipv6" not in facts.features:
            missing.append(Missing("IPv6 in its kernel", "boot without ipv6.disable=1"))
        if "vxlan" not in facts.link_kinds:
            missing.append(Missing("the link kind 'vxlan' in its kernel", "load the vxlan module"))
        return missing

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        #: The nodes' own addresses, by host.
        self._addresses: dict[str, str] = {}
        #: When the nodes were last started (s, of `monotonic`).
        self._started = 0.0

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        await self.claim(hosts, await self.installed(hosts))
        self._addresses = await self.on_hosts(self._prepare)
        await self._start_all()

    async def _start_all(self) -> None:
        """Start the nodes by number, so that a node that connects finds the other one listening.

        Once, nodes that were told again to connect while they did so had no path to a far one for a minute.
        """
        for host in sorted(self.hosts, key=self.number):
            await self._start(host)
        self._started = monotonic()

    async def _prepare(self, host: Host) -> str:
        """Make a host's bridge, keys and configuration; returns the address that comes from its key."""
        await self.network.create(host, self.number(host))
        batch = Batch().run(["sh", "-c", MAKE_KEYS])
        batch.feed(["sh", "-c", CONFIGURE], self.configuration(host))
        return (await batch.run([*COMMAND, "-address"]).on(host)).stdout.strip()

    def configuration(self, host: Host) -> str:
        """Return a node's configuration without its keys: only the neighbours to connect to.

        Of two neighbours the later one connects. It is told so once more while it is not connected
        (`_lacking`): by itself it tries again only after a minute.
        """
        peers = ", ".join(f'"{self._uri(host, other)}"' for other in self._earlier(host))
        return (
            f'"Peers": [{peers}], "Listen": ["tcp://0.0.0.0:{PORT}"], "MulticastInterfaces": [], '
            f'"AdminListen": "unix://{SOCKET}", "IfName": "{TUN}", "NodeInfoPrivacy": true}}\n'
        )

    def _earlier(self, host: Host) -> list[Host]:
        return [other for other in self.neighbours(host) if self.number(other) < self.number(host)]

    def _uri(self, host: Host, other: Host) -> str:
        return f"tcp://{self.topology.link(host.name, other.name).address(other.name)}:{PORT}"

    async def _start(self, host: Host) -> None:
        """Start a host's node, and give frames a way from its bridge to all the others."""
        batch = Batch().unless(status_argv(DAEMON), self._launch()).wait(["test", "-S", SOCKET], START)
        own = ["id", str(VNI), "dstport", str(INNER_PORT), "local", self._addresses[host.name]]
        make = Batch().run(["ip", "link", "add", VXLAN, "type", "vxlan", *own])
        batch.unless(["ip", "link", "show", VXLAN], make)
        network = self.network
        batch.run(["ip", "link", "set", VXLAN, "mtu", network.mtu, "master", network.bridge, "up"])
        for other in self.reachable(host):
            batch.run(_table("append", self._addresses[other.name]))
        await batch.on(host)

    def _launch(self) -> Batch:
        """Start the node on a device that is there before it: where IPv6 is off, it is on for this one only.

        An address of a node that died would stop the next one.
        """
        make = Batch().run(["ip", "tuntap", "add", "dev", TUN, "mode", "tun"])
        batch = Batch().unless(["ip", "link", "show", TUN], make)
        batch.run(["sysctl", "-q", "-w", f"net.ipv6.conf.{TUN}.disable_ipv6=0"])
        batch.run(["ip", "-6", "addr", "flush", "dev", TUN]).run(["rm", "-f", SOCKET])
        return batch.start(DAEMON, COMMAND)

    async def ready(self, timeout: float = 60.0) -> None:
        """Return once every node has its peers, and knows a path to every other one."""
        await self.wait_for(self._lacking, timeout, "its paths")

    async def _lacking(self, host: Host) -> str:
        """Return a node's missing connections and missing paths; a packet makes it look for a path."""
        node = await self._node(host)
        if not node.address:
            await self.check_daemon(host, DAEMON)
            return "the node does not answer yet"
        apart = [h for h in self.neighbours(host) if self._addresses[h.name] not in node.peers.values()]
        lost = [h for h in self.reachable(host) if node.next_hop(self._addresses[h.name]) is None]
        batch = Batch()
        for other in self._earlier(host):
            if other in apart and monotonic() > self._started + CONNECT:
                batch.attempt(_ask("addpeer", f"uri={self._uri(host, other)}"))
        for other in lost[:AT_ONCE]:
            batch.attempt(["ping", "-6", "-c1", "-W1", self._addresses[other.name]])
        await batch.on(host)
        words = [f"no connection to {other.name}" for other in apart]
        return "; ".join([*words, *(f"no path to {other.name}" for other in lost)])

    async def _node(self, host: Host) -> admin.YggdrasilNode:
        return admin.node((await self._questions().on(host, check=False)).stdout)

    def _questions(self) -> Batch:
        batch = Batch()
        for what in admin.ASKED:
            batch.run(_ask(what))
        return batch

    async def mode(self) -> Mapping[str, str]:
        """Return how nodes are connected, and the host at the root of their tree: which one is chance."""
        nodes = await self._nodes()
        return {
            "mode": "tcp",
            "root": "+".join(name for name, node in nodes.items() if not node.coords),
            "encryption": "on",
            "mtu": self.settings["mtu"],
        }

    async def _nodes(self) -> dict[str, admin.YggdrasilNode]:
        """Return all nodes by host.

        Raises:
            OverlayError: one does not answer.
        """
        nodes = await self.on_hosts(self._node)
        if silent := [name for name, node in nodes.items() if not node.address]:
            await self.check()
            raise OverlayError(f"yggdrasil: the node on {silent[0]} runs and does not answer")
        return nodes

    async def report(self) -> Mapping[str, Any]:
        """Return per host what its node says of itself, its peers and its paths; of keys the public ones."""
        answers = await self.on_hosts(lambda host: self._questions().on(host, check=False))
        return {name: admin.documents(answer.stdout) for name, answer in answers.items()}

    async def multihop_proof(self) -> Mapping[str, Mapping[str, str]]:
        """Return, per host, the hosts that it reaches through another one, from the first port of its
        paths.
        """
        await self.ready(PROOF)
        name_of = {address: name for name, address in self._addresses.items()}
        proof: dict[str, dict[str, str]] = {}
        for host, node in (await self._nodes()).items():
            onward = {name: node.next_hop(address) for address, name in name_of.items()}
            proof[host] = {
                name: name_of[peer] for name, peer in onward.items() if peer and name_of[peer] != name
            }
        return proof

    def daemons(self, host: Host) -> Sequence[str]:
        return (DAEMON,)

    async def relaunch(self) -> None:
        await self.on_hosts(lambda host: host.stop(DAEMON))
        await self._start_all()
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        """Restart the nodes whose neighbours have changed."""
        routes.refuse_gap(self.name, topology, self.hosts)
        before = {host: self.configuration(host) for host in self.hosts}
        self.topology = topology
        changed = [host for host in self.hosts if self.configuration(host) != before[host]]
        await together(host.stop(DAEMON) for host in changed)
        await self.install(self.hosts, topology)

    async def leave(self, host: Host) -> None:
        """Remove a host; the others forget its address, and no longer try to connect to it."""
        neighbours = self.neighbours(host)
        await super().leave(host)

        async def forget(other: Host) -> None:
            batch = Batch().attempt(_table("del", self._addresses[host.name]))
            if other in neighbours:
                batch.attempt(_ask("removepeer", f"uri={self._uri(other, host)}"))
            await batch.on(other)

        await self.on_hosts(forget)
        await self.install(self.hosts, self.topology)

    async def remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        gone = Batch().stop(DAEMON)
        for device in (VXLAN, TUN):
            gone.attempt(["ip", "link", "del", device])
        gone = (await self.network.remove(gone, host)).run(["rm", "-rf", FOLDER])
        await install_record.drop(gone, self.name).on(host)


def _ask(*words: str) -> list[str]:
    """Return the command that asks or tells a node something."""
    return ["yggdrasilctl", "-json", f"-endpoint=unix://{SOCKET}", *words]


def _table(what: str, address: str) -> list[str]:
    """Return the command that puts another node's address into VXLAN's table, or takes it out."""
    return ["bridge", "fdb", what, EVERYBODY, "dev", VXLAN, "dst", address]
