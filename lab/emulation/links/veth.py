"""The links of one lab: a network namespace of its own, veths into the hosts, a bridge per link.

Host A `ethN` —veth— port `<n>a` — bridge `br<n>` — port `<n>b` —veth— host B `ethM`

Ports and bridges lie in the namespace ``lab-<id>``; nothing of a lab is ever in the root
namespace. Shapers work on the ports, so that hosts see plain interfaces. A bridge passes
nothing while it is down, and it is brought up only after the shaper has read back what was
asked: no link ever carries traffic unshaped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from lab.emulation.links import netns
from lab.emulation.links.link import LinkState, Wiring
from lab.emulation.links.shaper import Shaper
from lab.errors import CommandError
from lab.hosts import command
from lab.hosts.command import RunCommand

if TYPE_CHECKING:
    from lab.topology.specs import LinkSpec

#: The lab's own namespace takes no part in its links: it has no addresses and sends nothing.
QUIET = tuple(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6" for which in ("all", "default"))


def namespace(lab_id: str) -> str:
    """The name of a lab's network namespace."""
    return f"lab-{lab_id}"


def build_lines(wiring: Wiring) -> list[str]:
    """`ip` lines, for the lab's namespace, that make a link: closed, and without addresses."""
    line, mtu = wiring.line, wiring.link.mtu
    veth = f"mtu {mtu} type veth peer mtu {mtu} name"
    return [
        f"link add {line.number}a {veth} {line.interface_a} netns {line.end_a}",
        f"link add {line.number}b {veth} {line.interface_b} netns {line.end_b}",
        f"link add {line.bridge} mtu {mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"link set {line.bridge} alias {line.name}",
        f"link set {line.number}a master {line.bridge} up",
        f"link set {line.number}b master {line.bridge} up",
    ]


def open_lines(lines: Sequence[LinkState]) -> list[str]:
    """`ip` lines, for the lab's namespace, that let links pass packets."""
    return [f"link set {line.bridge} up" for line in lines]


def remove_lines(lines: Sequence[LinkState]) -> list[str]:
    """`ip` lines, for the lab's namespace, that take links away; the hosts' interfaces go with the ports."""
    names = [name for line in lines for name in (line.bridge, f"{line.number}a", f"{line.number}b")]
    return [f"link del {name}" for name in names]


def host_lines(wirings: Sequence[Wiring]) -> dict[str, list[str]]:
    """`ip` lines per host's namespace that give its interfaces their addresses and bring them up."""
    lines: dict[str, list[str]] = defaultdict(list)
    for wiring in wirings:
        link, prefix = wiring.link, ip_network(wiring.link.subnet).prefixlen
        for end, interface, address in (
            (wiring.end_a, link.interface_a, link.address_a),
            (wiring.end_b, link.interface_b, link.address_b),
        ):
            if address:
                lines[netns.path(end)].append(f"addr add {address}/{prefix} dev {interface}")
            lines[netns.path(end)].append(f"link set {interface} up")
    return lines


class Fabric:
    """The links of one lab. Owns the lab's namespace and everything in it.

    Use::

        kind = await choose("auto")
        fabric = Fabric(lab_id, kind(lab_id, folder))
        await fabric.create()
        await fabric.add_links([Wiring(link, pid_a, pid_b), ...])
        ...
        await fabric.destroy()
    """

    def __init__(self, lab_id: str, shaper: Shaper, run: RunCommand = command.run) -> None:
        self.lab_id, self.shaper, self.run = lab_id, shaper, run
        self.namespace = namespace(lab_id)

    async def create(self) -> None:
        """Make the lab's namespace and let the shaper prepare it.

        Raises:
            CommandError: there is such a namespace already, or no right to make one.
            ShaperError: the shaper cannot work in it.
        """
        await self.run(["ip", "netns", "add", self.namespace])
        if Path(QUIET[0]).exists():
            await self.run(netns.inside(self.namespace, ["tee", *QUIET]), stdin=b"1\n")
        await self.shaper.prepare()

    async def add_links(self, wirings: Sequence[Wiring]) -> None:
        """Build links, shape them, read them back, then open them: interfaces up, with MTU and address.

        Raises:
            CommandError: a host is gone, or an interface exists already.
            ShaperError: the shaper cannot do what a link asks; the link stays closed.
        """
        lines = [wiring.line for wiring in wirings]
        await self._ip(self.namespace, [line for wiring in wirings for line in build_lines(wiring)])
        await self.shaper.apply(lines)
        async with asyncio.TaskGroup() as group:
            for end, todo in host_lines(wirings).items():
                group.create_task(self._ip(end, todo))
        await self._ip(self.namespace, open_lines(lines))

    async def remove_links(self, links: Sequence[str]) -> None:
        """Take links away, with their interfaces in the hosts.

        Raises:
            CommandError: there is no such link.
        """
        lines = [self.shaper.lines[link] for link in links]
        await self._ip(self.namespace, remove_lines(lines))
        await self.shaper.remove(links)

    async def clear_links(self, links: Sequence[LinkSpec]) -> None:
        """Take away what there is of links: half built ones, and those whose ports went with a host."""
        lines = [Wiring(link, 0, 0).line for link in links]
        todo = netns.script(remove_lines(lines))
        await self.run(netns.inside(self.namespace, ["ip", "-force", "-batch", "-"]), stdin=todo, check=False)
        if known := [line.name for line in lines if line.name in self.shaper.lines]:
            await self.shaper.remove(known)

    async def destroy(self) -> None:
        """End the shaper and remove the namespace, with all links. Doing it twice changes nothing."""
        await self.shaper.close()
        try:
            await self.run(["ip", "netns", "del", self.namespace])
        except CommandError as error:
            if "No such file" not in error.stderr:
                raise

    async def _ip(self, end: str, lines: Sequence[str]) -> None:
        if lines:
            await self.run(netns.ip_batch(end), stdin=netns.script(lines))
