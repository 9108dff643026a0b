"""Loss by the packet: hosts at a lossy link hand over single packets, not GSO packets of up to 64 KiB.

Whatever drops a GSO packet drops forty of the link's packets in a row; the same holds for packets
that are doubled, spoilt or let go ahead. So the interface of a host that sends into such a
direction has its kernel cut them before they leave it. Only these pay for that, in CPU time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from lab.emulation.links import netns
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.hosts.command import RunCommand

#: Packets in a GSO packet: what Linux allows, and what loss needs.
ANY, SINGLE = 65535, 1


def lossy(lines: Iterable[LinkState]) -> dict[tuple[str, str], bool]:
    """By namespace and interface of every sending end, whether its direction treats packets one by one."""
    ends = {}
    for line in lines:
        for direction in DIRECTIONS:
            end = (line.end_a, line.interface_a) if direction == "ab" else (line.end_b, line.interface_b)
            ends[end] = line.shape(direction).by_packet
    return ends


def commands(before: Iterable[LinkState], after: Iterable[LinkState]) -> dict[str, list[str]]:
    """`ip` lines per host's namespace, for the ends that begin or cease to need single packets."""
    was, todo = lossy(before), defaultdict(list)
    for (end, interface), now in lossy(after).items():
        if now != was.get((end, interface), False):
            todo[end].append(f"link set {interface} gso_max_segs {SINGLE if now else ANY}")
    return dict(todo)


async def cut(before: Iterable[LinkState], after: Iterable[LinkState], run: RunCommand) -> None:
    """Set the hosts' interfaces to what lines now ask for.

    Raises:
        CommandError: a host is gone.
    """
    todo = commands(before, after)
    await asyncio.gather(
        *(run(netns.ip_batch(end), stdin=netns.script(lines)) for end, lines in todo.items())
    )
