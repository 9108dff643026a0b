"""Round-trip times by ICMP echo. ``python -m lab.emulation.links.icmp ADDRESS COUNT MILLISECONDS [PATIENCE]``

The answer is timed by the kernel, so that waking this process up is no part of the figure.
Prints a JSON list: one time in ms per request, null where no answer came within `PATIENCE`.
Works with this machine's Python in any namespace, whatever programs a host's image has.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence

from lab.emulation.links import netns

PATIENCE = 1.0  # s after the last request
SO_TIMESTAMPNS = 35
REQUEST, REPLY = 8, 0


def command(
    end: int | str, address: str, count: int, milliseconds: float, patience: float = PATIENCE
) -> list[str]:
    """The argv that measures from a namespace; it wants this module's package on PYTHONPATH."""
    module = [sys.executable, "-S", "-m", "lab.emulation.links.icmp"]
    return netns.inside(end, [*module, address, str(count), str(milliseconds), str(patience)])


def parse(text: str) -> list[float | None]:
    """What `main` printed."""
    times: list[float | None] = json.loads(text)
    return times


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identity: int, number: int, size: int = 56) -> bytes:
    """An echo request (RFC 792) with `size` bytes of content."""
    head = struct.pack("!BBHHH", REQUEST, 0, 0, identity, number)
    packet = head + bytes(size)
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def answer(packet: bytes, identity: int) -> int | None:
    """Which request a received IPv4 packet answers; None when it answers none of this process's."""
    start = 4 * (packet[0] & 15)
    kind, _, _, whose, number = struct.unpack_from("!BBHHH", packet, start)
    return int(number) if (kind, whose) == (REPLY, identity) else None


def measure(address: str, count: int, milliseconds: float, patience: float = PATIENCE) -> list[float | None]:
    """Send `count` requests, one each `milliseconds`, and return their times (ms).

    `patience` (s) is how long the last of them is waited for.
    """
    identity = os.getpid() & 0xFFFF
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    link.setblocking(False)
    sent: list[int] = []
    times: list[float | None] = [None] * count
    start, missing = time.monotonic(), count
    last = start
    while missing and (len(sent) < count or time.monotonic() < last + patience):
        due = start + len(sent) * milliseconds / 1e3
        if len(sent) < count and time.monotonic() >= due:
            packet, last = request(identity, len(sent)), time.monotonic()
            sent.append(time.time_ns())
            link.sendto(packet, (address, 0))
            continue
        wait = due - time.monotonic() if len(sent) < count else patience
        if select.select([link], [], [], max(0.0, wait))[0]:
            packet, extra, _, _ = link.recvmsg(2048, 128)
            number = answer(packet, identity)
            if number is not None and number < len(sent) and times[number] is None:
                seconds, rest = struct.unpack("=qq", extra[0][2][:16])
                times[number] = (seconds * 1_000_000_000 + rest - sent[number]) / 1e6
                missing -= 1
    return times


def main(argv: Sequence[str]) -> int:
    sys.stdout.write(json.dumps(measure(argv[0], int(argv[1]), *map(float, argv[2:]))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
