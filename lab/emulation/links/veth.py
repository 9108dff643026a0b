"""The links of one lab: a network namespace of its own, veths into the hosts, a bridge per link.

Host A `ethN` —veth— port `<n>a` — bridge `br<n>` — port `<n>b` —veth— host B `ethM`

Ports and bridges lie in the namespace ``lab-<id>``; nothing of a lab is ever in the root
namespace. Shapers work on the ports, so that hosts see plain interfaces. A bridge passes
nothing while it is down, and it is brought up only after the shaper has read back what was
asked: no link ever carries traffic unshaped.
"""

from __future__ import annotations

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
from lab.util.concurrency import together

if TYPE_CHECKING:
    from lab.topology import LinkSpec


def add_commands(wiring: Wiring) -> list[str]:
    """Return `ip` lines, for the lab's namespace, that make a link: closed, and without addresses."""
    state, mtu = wiring.state, wiring.link.mtu
    veth = f"mtu {mtu} type veth peer mtu {mtu} name"
    return [
        f"link add {state.number}a {veth} {state.interface_a} netns {state.end_a}",
        f"link add {state.number}b {veth} {state.interface_b} netns {state.end_b}",
        f"link add {state.bridge} mtu {mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"link set {state.bridge} alias {state.name}",
        f"link set {state.number}a master {state.bridge} up",
        f"link set {state.number}b master {state.bridge} up",
    ]


def host_commands(wirings: Sequence[Wiring]) -> dict[str, list[str]]:
    """Return `ip` lines per host's namespace that give its interfaces their addresses and bring them up."""
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
    """The links of one lab: `create`, `add_links`, `destroy`. Owns the lab's namespace and all in it."""

    def __init__(self, lab_id: str, shaper: Shaper, run: RunCommand = command.run) -> None:
        self.lab_id, self.shaper, self.run = lab_id, shaper, run
        self.namespace = netns.of_lab(lab_id)

    async def create(self) -> None:
        """Make the lab's namespace and let the shaper prepare it.

        Raises:
            CommandError: there is such a namespace already, or no right to make one.
            ShaperError: the shaper cannot work in it.
        """
        await self.run(["ip", "netns", "add", self.namespace])
        # it takes no part in the links: it has no addresses and sends nothing
        if Path(netns.IPV6_SWITCHES[0]).exists():
            await self.run(netns.inside(self.namespace, ["tee", *netns.IPV6_SWITCHES]), stdin=b"1\n")
        await self.shaper.prepare()

    async def add_links(self, wirings: Sequence[Wiring]) -> None:
        """Build links, shape them, read them back, then open them: interfaces up, with MTU and address.

        Raises:
            CommandError: a host is gone, or an interface exists already.
            ShaperError: the shaper cannot do what a link asks; the link stays closed.
        """
        links = [wiring.state for wiring in wirings]
        await netns.batch(
            "ip", self.namespace, [x for wiring in wirings for x in add_commands(wiring)], self.run
        )
        await self.shaper.apply(links)
        await together(netns.batch("ip", end, own, self.run) for end, own in host_commands(wirings).items())
        await netns.batch("ip", self.namespace, [f"link set {link.bridge} up" for link in links], self.run)

    async def clear_links(self, links: Sequence[LinkSpec | LinkState]) -> None:
        """Remove links: complete ones, half built ones, and those whose ports were removed with a host."""
        argv = netns.inside(self.namespace, ["ip", "-force", "-batch", "-"])
        # the hosts' interfaces go with the ports
        devices = [name for n in (link.number for link in links) for name in (f"br{n}", f"{n}a", f"{n}b")]
        await self.run(argv, stdin=netns.script([f"link del {name}" for name in devices]), check=False)
        if known := [link.name for link in links if link.name in self.shaper.states]:
            await self.shaper.remove(known)

    async def destroy(self) -> None:
        """End the shaper and remove the namespace, with all links. Doing it twice changes nothing."""
        await self.shaper.close()
        try:
            await self.run(["ip", "netns", "del", self.namespace])
        except CommandError as error:
            if "No such file" not in error.stderr:
                raise
