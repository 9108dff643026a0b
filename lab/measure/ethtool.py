"""Offload of work from the CPU to a network device: set and read back with ethtool.

Segmentation of TCP (``tso``, and ``gso`` for what the device itself cannot do). Fragmentation of
UDP (``ufo``), which the thesis switched as well, left Linux in 4.14 (2017): ethtool no longer
lists it and refuses to set it.
"""

from __future__ import annotations

from lab.errors import MeasureError
from lab.hosts.host import CommandRunner, Endpoint

NAME = "ethtool"
#: Names for setting, and what they are called in the list.
SEGMENTATION = {"gso": "generic-segmentation-offload", "tso": "tcp-segmentation-offload"}
UFO = "udp-fragmentation-offload"
NO_UFO = "gone from Linux since 4.14"


def parse_features(raw: str) -> dict[str, str]:
    """Read ``ethtool -k``: every feature's state, ``on`` or ``off``.

    Raises:
        MeasureError: the text lists no feature.
    """
    pairs = (line.strip().split(": ", 1) for line in raw.splitlines() if ": " in line)
    found = {name: state.split()[0] for name, state in pairs if state.split()[:1] in (["on"], ["off"])}
    if not found:
        raise MeasureError(NAME, f"listed no feature; it said {raw.strip()[:200]!r}", raw)
    return found


async def set_segmentation(endpoint: Endpoint, state: str) -> dict[str, str]:
    """Set segmentation offload of an endpoint's device ``on`` or ``off``, and return what is there then.

    Raises:
        MeasureError: the device is not as asked afterwards.
    """
    words = [word for name in SEGMENTATION for word in (name, state)]
    argv = [NAME, "-K", endpoint.interface, *words]
    done = await endpoint.run(argv, check=False)
    features = parse_features((await endpoint.run([NAME, "-k", endpoint.interface])).stdout)
    wrong = [name for name in SEGMENTATION.values() if features.get(name) != state]
    if wrong:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise MeasureError(NAME, f"{', '.join(wrong)} cannot be set {state}; it said {said!r}", said, argv)
    return {"offload": state, "ufo": features.get(UFO, NO_UFO)}


async def mtu(runner: CommandRunner, interface: str) -> int:
    """Return the MTU (bytes) of a device.

    Raises:
        MeasureError: there is no such device.
    """
    path = f"/sys/class/net/{interface}/mtu"
    result = await runner.run(["cat", path], check=False)
    if not result.stdout.strip().isdigit():
        raise MeasureError("cat", f"{path} on {runner.name} has no MTU: {result.stderr.strip()}")
    return int(result.stdout)


def udp_payload(bytes_of_packet: int, fragments: int = 1) -> int:
    """Return the most bytes of data in a UDP datagram that takes this many packets of that MTU (IPv4).

    Every packet has an IP header of 20 bytes, the first one also UDP's of 8; all but the last
    carry a multiple of 8 bytes (RFC 791).
    """
    room = bytes_of_packet - 20
    return (fragments - 1) * (room // 8 * 8) + room - 8
