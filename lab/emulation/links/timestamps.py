"""The kernel's time of arrival of packets, at sockets (``SO_TIMESTAMPNS``).

The wire's process imports this module; it stays within the standard library.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator

SO_TIMESTAMPNS = 35


def enable(link: socket.socket) -> None:
    """Have the kernel tell with every packet of a socket when it arrived."""
    link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def arrival(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the time of arrival (ns since 1970), if it is in what `recvmsg` returned beside a packet."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, rest = struct.unpack("=qq", data[:16])
            return int(seconds) * 1_000_000_000 + int(rest)
    return None


def arrivals(link: socket.socket, size: int) -> Iterator[tuple[bytes, int]]:
    """Receive all that waits at a non-blocking socket: packets, each with its time of arrival (ns)."""
    while True:
        try:
            packet, ancillary, _, _ = link.recvmsg(size, 128)
        except OSError:
            return  # nothing more, or word that nobody listens
        if (stamp := arrival(ancillary)) is not None:
            yield packet, stamp
