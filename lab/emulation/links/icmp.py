"""Round-trip times by ICMP echo. ``python -m lab.emulation.links.icmp ADDRESS COUNT MILLISECONDS [PATIENCE]``

The answer is timed by the kernel, so that waking this process up is no part of the figure.
Prints a JSON list: one time in ms per request, null where no answer came within `PATIENCE`.
Works with this machine's Python in any namespace, whatever programs a host's image has.

`sweep` measures many links at one moment: for a look at a lab, not for a calibration.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from lab.emulation.links import netns, timestamps

PATIENCE = 1.0  # s after the last request
REQUEST, REPLY = 8, 0
#: Echoes per link of a sweep, and s between them: the first waits for the neighbour's address as well.
ECHOES, BETWEEN = 2, 0.01


def command(
    end: int | str, address: str, count: int, milliseconds: float, patience: float = PATIENCE
) -> list[str]:
    """Return the argv that measures from a namespace; it needs `netns.OWN_MODULES` in its environment."""
    module = [sys.executable, "-P", "-S", "-m", "lab.emulation.links.icmp"]
    return netns.inside(end, [*module, address, str(count), str(milliseconds), str(patience)])


def parse(text: str) -> list[float | None]:
    """Read what `main` printed."""
    times: list[float | None] = json.loads(text)
    return times


def checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identity: int, number: int, size: int = 56) -> bytes:
    """Build an echo request (RFC 792) with `size` bytes of content."""
    head = struct.pack("!BBHHH", REQUEST, 0, 0, identity, number)
    packet = head + bytes(size)
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def reply_number(packet: bytes, identity: int) -> int | None:
    """Return the number of the request that an IPv4 packet answers; None when it is none of ours."""
    start = 4 * (packet[0] & 15)
    kind, _, _, whose, number = struct.unpack_from("!BBHHH", packet, start)
    return int(number) if (kind, whose) == (REPLY, identity) else None


class EchoSocket:
    """A socket in this thread's network namespace that asks one address for echoes.

    `sent` has the time (ns since 1970) of every request, `rtts` the round trips (ms) by its number.
    """

    def __init__(self, address: str, identity: int) -> None:
        self.address, self._identity = address, identity & 0xFFFF
        self.sent: list[int] = []
        self.rtts: dict[int, float] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        timestamps.enable(self.socket)
        self.socket.setblocking(False)

    def send(self) -> None:
        """Send the next request. Raises OSError when there is no way; it then counts as lost."""
        packet = request(self._identity, len(self.sent))
        self.sent.append(time.time_ns())
        self.socket.sendto(packet, (self.address, 0))

    def receive(self) -> None:
        """Take the answers that have come."""
        for packet, stamp in timestamps.arrivals(self.socket, 2048):
            number = reply_number(packet, self._identity)
            if number is not None and number < len(self.sent):
                self.rtts.setdefault(number, (stamp - self.sent[number]) / 1e6)


def measure(address: str, count: int, milliseconds: float, patience: float = PATIENCE) -> list[float | None]:
    """Send `count` requests, one each `milliseconds`, and return their times (ms).

    `patience` (s) is how long the last of them is waited for.
    """
    echo = EchoSocket(address, os.getpid())
    start = last = time.monotonic()
    while len(echo.rtts) < count:
        now, due = time.monotonic(), start + len(echo.sent) * milliseconds / 1e3
        if len(echo.sent) == count:
            due = last + patience
            if now >= due:
                break
        elif now >= due:
            last = now
            echo.send()
            continue
        if select.select([echo.socket], [], [], max(0.0, due - now))[0]:
            echo.receive()
    return [echo.rtts.get(number) for number in range(count)]


class SweepTarget(NamedTuple):
    """One end of a link to be tried: from which namespace (a path), to which address."""

    namespace: str
    address: str


def sweep(targets: Mapping[str, SweepTarget], patience: float) -> dict[str, float]:
    """Return round trips (ms) by link, for those that answer within `patience` (s); of two the shorter.

    A thread enters the network namespaces one after the other and leaves a socket in each; then the
    echoes go over every link at once.
    """
    identities = {name: os.getpid() + number for number, name in enumerate(targets)}
    echoes = netns.in_each(
        {name: target.namespace for name, target in targets.items()},
        lambda name: EchoSocket(targets[name].address, identities[name]),
    )
    try:
        _exchange(list(echoes.values()), patience)
    finally:
        for echo in echoes.values():
            echo.socket.close()
    return {name: min(echo.rtts.values()) for name, echo in echoes.items() if echo.rtts}


def _exchange(echoes: Sequence[EchoSocket], patience: float) -> None:
    poll, by_descriptor = select.poll(), {echo.socket.fileno(): echo for echo in echoes}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + patience
    for last in [False] * (ECHOES - 1) + [True]:
        for echo in echoes:
            with suppress(OSError):
                echo.send()
        until = deadline if last else time.monotonic() + BETWEEN
        while (left := until - time.monotonic()) > 0 and not (last and all(echo.rtts for echo in echoes)):
            for descriptor, _ in poll.poll(left * 1e3):
                by_descriptor[descriptor].receive()


def main(argv: Sequence[str]) -> int:
    """Measure what the command line says."""
    sys.stdout.write(json.dumps(measure(argv[0], int(argv[1]), *map(float, argv[2:]))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
