"""A host's links held to one rate together, as by a port that all of them go through.

Links have a rate of their own each; a machine whose one port is limited shares that among all.
What the host sends on any of its devices is led through one token bucket on an ``ifb`` device
first. Nothing of the links' own shaping is touched, and all of it goes again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lab.errors import MeasureError
from lab.hosts.host import CommandRunner
from lab.measure.tool import last_line

NAME = "tc"
DEVICE = "labport"
#: Bytes that may go at once: eleven packets of 1500, and what the kernel's clock needs up to 1000 Mbit/s.
BURST = 16_000
#: How long a packet may wait in the queue (ms).
PATIENCE = 100


def limit_script(devices: Sequence[str], mbps: float) -> str:
    """Shell lines that hold these devices to `mbps` (Mbit/s) together."""
    lines = [
        f"ip link add {DEVICE} type ifb",
        f"ip link set {DEVICE} up",
        (
            f"tc qdisc add dev {DEVICE} root tbf rate {mbps:g}mbit burst {max(BURST, mbps * 500):.0f} "
            f"latency {PATIENCE}ms"
        ),
    ]
    for name in devices:
        lines += [
            f"tc qdisc add dev {name} clsact",
            (
                f"tc filter add dev {name} egress protocol all u32 match u32 0 0 "
                f"action mirred egress redirect dev {DEVICE}"
            ),
        ]
    return "set -e\n" + "\n".join(lines) + "\n"


def free_script(devices: Sequence[str]) -> str:
    """Shell lines that undo `limit_script`, whatever part of it is there."""
    lines = [f"tc qdisc del dev {name} clsact 2>/dev/null || true" for name in devices]
    return "\n".join([*lines, f"ip link del {DEVICE} 2>/dev/null || true"]) + "\n"


@asynccontextmanager
async def shared_port(host: CommandRunner, devices: Sequence[str], mbps: float) -> AsyncIterator[None]:
    """Hold devices of a host to `mbps` (Mbit/s) together while inside; they are freed however it is left.

    Raises:
        MeasureError: the host's kernel cannot do it; it has tc's words.
    """
    try:
        script = free_script(devices) + limit_script(devices, mbps)
        done = await host.run(["sh"], stdin=script.encode(), check=False)
        if done.status:
            said = last_line(done)
            raise MeasureError(NAME, f"cannot hold {host.name} to {mbps:g} Mbit/s; it said {said!r}", said)
        yield
    finally:
        await host.run(["sh"], stdin=free_script(devices).encode(), check=False)
