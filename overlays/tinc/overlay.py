"""tinc: daemons that switch Ethernet frames and relay for each other, from Debian's own packages.

Like Weave's sleeve it forwards in user space, hop by hop, so it is the control for it, and the
multi-hop experiment is complete on every machine. Each daemon has connections to its
neighbours on the links only, and is told to send to no one else directly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.errors import OverlayError
from lab.hosts.daemons import log_file, pidfile, signal_argv
from lab.hosts.host import Host, HostFacts
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import NO_TUN, Missing, Option
from overlays.common import endpoints, install_record, routes
from overlays.common.batch import Batch
from overlays.common.bridge import BridgedOverlay
from overlays.tinc import status

TAP = "tinc0"
FOLDER = "/etc/tinc/lab"
DAEMON = "tincd"
COMMAND = ["tincd", f"--config={FOLDER}", "--no-detach", "--debug=1"]
PIDFILE, LOG = pidfile(DAEMON), log_file(DAEMON)
KEY_BITS = 2048
#: Bytes of an Ethernet frame's header.
ETHERNET = 14
#: Addresses of the daemons themselves, one per host, on no link.
DAEMONS = IPv4Network("10.62.0.0/16")


class Tinc(BridgedOverlay):
    """tinc 1.0 in switch mode, its tap device a port of a bridge on every host."""

    name = "tinc"
    summary = "tinc: daemons relay for each other in user space, hop by hop (the control for Weave)"
    hops = "overlay"
    modes = ("switch",)
    options = (
        Option("encryption", "off", ("on", "off"), "AES-256 and SHA-256 on every hop"),
        Option("mtu", "1376", (), "bytes, by default the same as Weave's, for comparison", number=True),
        Option("subnet", "10.60.0.0/16", (), "addresses of endpoints; every host has a /24 of it"),
    )

    @property
    def user_space(self) -> bool:
        return True

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing = [] if "tincd" in facts.binaries else [Missing("the program tincd", "apt-get install tinc")]
        return missing if "tun" in facts.features else [*missing, NO_TUN]

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        await self.claim(hosts, await self.installed(hosts))
        keys = await self.on_hosts(self._prepare)
        await self.on_hosts(lambda host: self._start(host, keys))

    async def _prepare(self, host: Host) -> str:
        """Make the bridge, and a host's key when it has none; returns the public one."""
        await self.network.create(host, self.number(host))
        own = f"{FOLDER}/hosts/{node(host.name)}"
        make = Batch().run(["mkdir", "-p", f"{FOLDER}/hosts"])
        make.attempt(["tincd", f"--config={FOLDER}", f"--generate-keys={KEY_BITS}"])
        batch = Batch().write(f"{FOLDER}/tinc.conf", self.configuration(host))
        batch.unless(["test", "-s", f"{FOLDER}/rsa_key.priv"], make)
        return public_key((await batch.run(["cat", own]).on(host)).stdout)

    def configuration(self, host: Host) -> str:
        """Return the text of ``tinc.conf``: the neighbours to connect to, and a tap device for Ethernet
        frames.

        Of two neighbours the later one connects. When both do so at one moment each takes the
        other's connection for a second one and closes the first, and both are gone.
        """
        earlier = [other for other in self.neighbours(host) if self.number(other) < self.number(host)]
        peers = "".join(f"ConnectTo = {node(other.name)}\n" for other in earlier)
        return (
            f"Name = {node(host.name)}\nMode = switch\nDeviceType = tap\nInterface = {TAP}\n"
            f"Device = /dev/net/tun\nAddressFamily = ipv4\nBindToAddress = {self._own(host.name)}\n{peers}"
        )

    def host_file(self, host: Host, other: str, key: str) -> str:
        """Return what one host's daemon is told of another; only neighbours have an address.

        ``IndirectData`` makes a daemon hand packets for far nodes to the neighbour on the way.
        """
        near = other in [neighbour.name for neighbour in self.neighbours(host)]
        address = f"Address = {self._own(other)}\n" if near else ""
        encrypted = self.settings["encryption"] == "on"
        cipher = "Cipher = aes-256-cbc\nDigest = sha256\n" if encrypted else "Cipher = none\nDigest = none\n"
        return f"{address}IndirectData = yes\n{cipher}{key}"

    @property
    def _frame(self) -> int:
        """The longest frame (bytes) that the tap device takes."""
        return int(self.settings["mtu"]) + ETHERNET

    def _own(self, name: str) -> IPv4Address:
        """Return the one address of a host's daemon, the same for all others.

        Where there is a way round, a daemon may hear of a neighbour from afar before its own connection
        is up, and keeps sending datagrams to the address that was seen there, on another link.
        """
        return DAEMONS[self.topology.host(name).number]

    def _reachable(self, batch: Batch, host: Host) -> Batch:
        """Add to a batch the host's own address, and the routes to its neighbours' over their links."""
        own = self._own(host.name)
        batch.run(["ip", "addr", "replace", f"{own}/32", "dev", "lo"])
        for other in (neighbour.name for neighbour in self.neighbours(host)):
            gateway = str(self.topology.link(host.name, other).address(other))
            way = ["via", gateway, "src", str(own), "proto", str(routes.mark(self.name))]
            batch.run(["ip", "route", "replace", f"{self._own(other)}/32", *way])
        return batch

    async def _start(self, host: Host, keys: Mapping[str, str]) -> None:
        batch = self._reachable(Batch(), host)
        for other, key in keys.items():
            batch.write(f"{FOLDER}/hosts/{node(other)}", self.host_file(host, other, key))
        up = f"#!/bin/sh\nip link set {TAP} mtu {self.settings['mtu']} master {self.network.bridge} up\n"
        batch.write(f"{FOLDER}/tinc-up", up, mode=0o755)
        batch.start(DAEMON, COMMAND)
        await batch.on(host)

    async def ready(self, timeout: float = 60.0) -> None:
        """Return once every hop is known to carry all frames over UDP: before that tinc sends over TCP."""
        await self.wait_for(self._lacking, timeout, "its mesh")

    async def _lacking(self, host: Host) -> str:
        """Return what a daemon says is missing; a packet to every other host makes it find its path MTUs."""
        others, ping = self.reachable(host), Batch()
        near = [other for other in others if other in self.neighbours(host)]
        for other in near:
            bridge = self.network.part(other.name, self.number(other))[1]
            ping.attempt(["ping", "-c1", "-W1", str(bridge)])
        nodes = await self._nodes(host, ping)
        names = [node(other.name) for other in self.neighbours(host)]
        if not status.nodes(nodes).keys() >= set(names):
            # connect now: it waits for 5 s, then 10, …
            await host.run(signal_argv("ALRM", PIDFILE, "tincd"), check=False)
        return status.lacking(nodes, self._frame, names, [node(other.name) for other in others])

    async def _nodes(self, host: Host, before: Batch | None = None) -> str:
        """Return the list of nodes that a daemon writes to its log when it is asked for it."""
        batch = (before or Batch()).provoke(
            signal_argv("USR2", PIDFILE, "tincd"), ["grep", "-c", status.END, LOG], 1
        )
        result = await batch.run(["tail", "-n", "400", LOG]).on(host, check=False)
        if result.status:
            await self.check_daemon(host, DAEMON)
        return result.stdout

    async def mode(self) -> Mapping[str, str]:
        nodes = await self.on_hosts(self._nodes)
        hops = [(host.name, n) for host in self.hosts for n in self._hops(host, nodes[host.name])]
        odd = [f"{name}→{n.name}: {lacking}" for name, n in hops if (lacking := n.lacking(self._frame))]
        return {
            "mode": "switch",
            "connections": ", ".join([f"{len(hops) - len(odd)} over UDP", *odd]),
            "encryption": "on" if any(n.cipher for _, n in hops) else "off",
            "mtu": self.settings["mtu"],
        }

    def _hops(self, host: Host, text: str) -> list[status.TincNode]:
        names = {node(other.name) for other in self.neighbours(host)}
        return [n for n in status.nodes(text).values() if n.name in names]

    async def report(self) -> Mapping[str, Any]:
        return {name: status.dump(text) for name, text in (await self.on_hosts(self._nodes)).items()}

    async def multihop_proof(self) -> Mapping[str, Mapping[str, str]]:
        """Return, per host, the hosts that it reaches through another one, from its daemon's next hops."""
        name_of = {node(h.name): h.name for h in self.hosts}
        return {
            host: {
                name_of[n.name]: name_of[n.nexthop]
                for n in status.nodes(text).values()
                if n.name in name_of and n.nexthop != n.name
            }
            for host, text in (await self.on_hosts(self._nodes)).items()
        }

    def daemons(self, host: Host) -> Sequence[str]:
        return (DAEMON,)

    async def relaunch(self) -> None:
        await self.on_hosts(lambda host: host.stop(DAEMON))
        await self.on_hosts(lambda h: Batch().start(DAEMON, COMMAND).on(h))
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        routes.refuse_gap(self.name, topology, self.hosts)
        self.topology = topology
        await self.install(self.hosts, topology)
        await self.on_hosts(self._reread)

    async def join(self, host: Host) -> None:
        before = self.hosts
        await super().join(host)
        await together(self._reread(other) for other in before)

    async def leave(self, host: Host) -> None:
        await super().leave(host)
        forget = ["rm", "-f", f"{FOLDER}/hosts/{node(host.name)}"]
        await self.on_hosts(lambda other: other.run(forget))
        await self.on_hosts(self._reread)

    async def _reread(self, host: Host) -> None:
        """Let a daemon look at its files again: it connects to new neighbours, and drops those that went."""
        configured = Batch().write(f"{FOLDER}/tinc.conf", self.configuration(host))
        await configured.run(signal_argv("HUP", PIDFILE, "tincd")).on(host)

    async def remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        gone = await self.network.remove(Batch().stop(DAEMON), host)
        routes.drop(gone, self.name).attempt(["ip", "addr", "del", f"{self._own(host.name)}/32", "dev", "lo"])
        await install_record.drop(gone.run(["rm", "-rf", FOLDER]), self.name).on(host)


def node(name: str) -> str:
    """Return a host's name as tinc takes it: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def public_key(text: str) -> str:
    """Return the public key in a host file of tinc's.

    Raises:
        OverlayError: there is none.
    """
    found = re.search(r"-----BEGIN RSA PUBLIC KEY-----.*?-----END RSA PUBLIC KEY-----\n", text, re.S)
    if not found:
        raise OverlayError(
            "tinc: a daemon made no key; see whether 'tincd --generate-keys' works on the host"
        )
    return found[0]
