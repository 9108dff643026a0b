"""RPS: the wire has one processor, what hosts receive has the others.

The kernel hands a packet that was let go to its receiver at once, on the processor that let it
go: the wire would do all that its receivers do with a packet, up to TCP's answer, before it
lets the next one go. Receive packet steering (RPS, ``Documentation/networking/scaling.rst``)
gives that to other processors, as two machines would share it. Of 50 packets through VXLAN,
each then costs the wire 3 to 4 µs in place of 14.
"""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence

from lab.emulation.links import netns
from lab.emulation.links.link import LinkState
from lab.hosts.command import RunCommand


def wire_cpu(cpus: Iterable[int]) -> int | None:
    """Return the wire's processor, of those that may be used: the last one; None where there is but one."""
    ordered = sorted(cpus)
    return ordered[-1] if len(ordered) > 1 else None


def cpu_mask(cpus: Iterable[int]) -> str:
    """Return processors as the kernel reads them: hexadecimal, in groups of 32 bits."""
    bits = sum(1 << cpu for cpu in cpus)
    groups: list[str] = []
    while bits or not groups:
        groups.append(f"{bits & 0xFFFFFFFF:x}" if bits < 1 << 32 else f"{bits & 0xFFFFFFFF:08x}")
        bits >>= 32
    return ",".join(reversed(groups))


def script(links: Sequence[LinkState], processors: str) -> str:
    """Return shell lines that steer what the hosts' ends of links receive; they print what cannot be steered.

    Each host's interfaces are found in a sysfs of its own network namespace.
    """
    ends = defaultdict(list)
    for link in links:
        ends[link.end_a].append(link.interface_a)
        ends[link.end_b].append(link.interface_b)
    steer = f'for i; do echo {processors} >/sys/class/net/"$i"/queues/rx-0/rps_cpus || echo "$i"; done'
    each = f"mount -t sysfs none /sys && {steer} || echo sysfs"
    entered = [shlex.join(netns.inside(end, ["sh", "-c", each, "sh", *names])) for end, names in ends.items()]
    return "".join(f"{one} 2>/dev/null &\n" for one in entered) + "wait\n"


async def steer(links: Sequence[LinkState], run: RunCommand) -> int | None:
    """Have the hosts' receiving done by all processors but the wire's; return that one's number.

    None where there is one processor, or where the kernel has no RPS: the wire then goes without,
    and shows how late it is.

    Raises:
        CommandError: no mount namespace can be made.
    """
    cpus = os.sched_getaffinity(0)
    own = wire_cpu(cpus)
    if own is None or not links:
        return own
    done = await run(["unshare", "--mount", "sh", "-s"], stdin=script(links, cpu_mask(cpus - {own})).encode())
    return None if done.stdout.strip() else own
