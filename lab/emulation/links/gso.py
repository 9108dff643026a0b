"""GSO limits of hosts: at a lossy link they hand over single packets, not GSO packets of up to 64 KiB.

Whatever drops a GSO packet drops forty of the link's packets in a row; the same holds for packets
that are doubled, spoilt or let go ahead. So the interface of a host that sends into such a
direction has its kernel cut them before they leave it. Only these pay for that, in CPU time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from lab.emulation.links import netns
from lab.emulation.links.link import LinkState
from lab.hosts.command import RunCommand
from lab.util.concurrency import together

#: Packets in a GSO packet: what Linux allows, and what loss needs.
ANY, SINGLE = 65535, 1


def by_packet(links: Iterable[LinkState]) -> dict[tuple[str, str], bool]:
    """Return by namespace and interface of every sending end if its direction treats packets one by one."""
    ends = {}
    for link in links:
        ends[link.end_a, link.interface_a] = link.ab.by_packet
        ends[link.end_b, link.interface_b] = link.ba.by_packet
    return ends


def commands(before: Iterable[LinkState], after: Iterable[LinkState]) -> dict[str, list[str]]:
    """Return `ip` lines per host's namespace, for the ends that begin or cease to need single packets."""
    was, lines = by_packet(before), defaultdict(list)
    for (end, interface), now in by_packet(after).items():
        if now != was.get((end, interface), False):
            lines[end].append(f"link set {interface} gso_max_segs {SINGLE if now else ANY}")
    return dict(lines)


async def limit(before: Iterable[LinkState], after: Iterable[LinkState], run: RunCommand) -> None:
    """Set the hosts' interfaces to what links now ask for.

    Raises:
        CommandError: a host is gone.
    """
    await together(netns.batch("ip", end, lines, run) for end, lines in commands(before, after).items())
