"""The backlog of a link's rate: asked by the wire, so that packets that wait anyway are not called late.

The wire's process imports this module; it stays within the standard library. Numbers are from
``linux/rtnetlink.h`` and ``linux/pkt_sched.h``.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

RTM_NEWTCLASS, RTM_GETTCLASS = 40, 42
NLM_F_REQUEST = 1
TCA_STATS = 3
_HEAD = 16 + 20  # bytes of the netlink and traffic control headers before the first attribute
_WAITING = 28  # where `struct tc_stats` has the number of packets that wait
_ROOT = 1 << 16  # handle 1:, of the discipline that every port has


class QdiscBacklog:
    """Asks the kernel about the ports at which packets of this network namespace leave."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._socket.setblocking(False)

    def waiting(self, port: str, number: int) -> bool:
        """Return True when packets wait in class `number` of a port; False where the kernel does not say."""
        with suppress(OSError):
            self._socket.send(request(socket.if_nametoindex(port), number))
            return queue_length(self._socket.recv(8192)) > 0
        return False


def request(index: int, number: int) -> bytes:
    """Build the message that asks about one class of the device with this index."""
    head = struct.pack("=IHHII", _HEAD, RTM_GETTCLASS, NLM_F_REQUEST, 0, 0)
    return head + struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, _ROOT | number, _ROOT, 0)


def queue_length(answer: bytes) -> int:
    """Return the number of packets that wait, from the kernel's answer; 0 where it does not tell."""
    if len(answer) < _HEAD or struct.unpack_from("=H", answer, 4)[0] != RTM_NEWTCLASS:
        return 0
    at = _HEAD
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if length < 4 or at + length > len(answer):
            break
        if kind == TCA_STATS and length >= 4 + _WAITING + 4:
            return int(struct.unpack_from("=I", answer, at + 4 + _WAITING)[0])
        at += length + -length % 4
    return 0
