"""A delay line in one netfilter queue: the kernel holds the packets, this process only their numbers.

The kernel numbers the packets of a queue in their order. A *batch verdict* accepts every
packet up to a number, so that a constant delay costs one small message per batch, not per
packet, and of a batch of arrivals only the last message needs to be read.

Nothing here is ever passed early or by default: a queue without its process, and a queue
that is full, drops (neither ``--queue-bypass`` nor ``NFQA_CFG_F_FAIL_OPEN`` is set).

The wire's process imports this module and little else; it stays within the standard library.
Numbers are from ``linux/netfilter/nfnetlink_queue.h`` and ``linux/netlink.h``.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable

from lab.emulation.links.jitter import Variation

NETLINK_NETFILTER = 12
NLMSG_ERROR = 2
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NFNL_SUBSYS_QUEUE = 3
NFQNL_MSG_PACKET, NFQNL_MSG_VERDICT, NFQNL_MSG_CONFIG, NFQNL_MSG_VERDICT_BATCH = 0, 1, 2, 3
NFQA_VERDICT_HDR, NFQA_TIMESTAMP = 2, 4
NFQA_CFG_CMD, NFQA_CFG_PARAMS, NFQA_CFG_QUEUE_MAXLEN, NFQA_CFG_MASK, NFQA_CFG_FLAGS = 1, 2, 3, 4, 5
NFQNL_CFG_CMD_BIND, NFQNL_COPY_META, NF_DROP, NF_ACCEPT = 1, 1, 0, 1
FAIL_OPEN, GSO = 1, 4
SOL_NETLINK, NETLINK_NO_ENOBUFS = 270, 5
SO_RCVBUFFORCE = 33
MSG_DONTWAIT = 0x40

#: Packets that one queue holds, unless it is told otherwise: 100 ms at 1 million packets/s.
HELD_PACKETS = 100_000
#: Bytes of messages that wait to be read: some 80,000 packets, should the process be kept from running.
BACKLOG = 64 << 20
#: Upper bounds of the classes in which lateness is counted, ns; the last class is open.
EDGES = tuple(round(ms * 1e6) for ms in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20, 50, 100))

#: Packets found together that leave together, by the middle of their times of arrival: at 1 Gbit/s they
#: came within 0.4 ms.
BATCH = 32
#: Packets of one queue let go before the others, and arrivals, are looked at: letting one go takes the
#: kernel some 10 µs, with all that its receiver does.
TURN = 64
#: ns that packets may be late before it is asked whether they would have waited for the rate anyway.
SLACK = 300_000
#: ns; a packet that seems to have waited for longer shows that the clock was set meanwhile.
OLDEST = 10_000_000_000

_PACKET = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET
_SLOTS, _SLOT = 1024, 192  # messages read in one call, bytes kept of each
_HEAD = 20  # bytes of netlink and nfnetlink headers before the first attribute
_libc = ctypes.CDLL(None, use_errno=True)


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("header", _Msghdr), ("length", ctypes.c_uint)]


class Mailbox:
    """Room for many netlink messages, read by one call; shared by all queues of a process."""

    def __init__(self) -> None:
        self.data = ctypes.create_string_buffer(_SLOTS * _SLOT)
        start = ctypes.addressof(self.data)
        self._iovecs = (_Iovec * _SLOTS)(*(_Iovec(start + i * _SLOT, _SLOT) for i in range(_SLOTS)))
        self._headers = (_Mmsghdr * _SLOTS)()
        for i in range(_SLOTS):
            self._headers[i].header.iov = ctypes.pointer(self._iovecs[i])
            self._headers[i].header.iovlen = 1

    def read(self, fd: int) -> int:
        """Read what waits, without waiting, and return the number of messages."""
        return max(0, int(_libc.recvmmsg(fd, self._headers, _SLOTS, MSG_DONTWAIT, None)))

    def last_packet(self, messages: int, first: int = 0) -> tuple[int, int]:
        """Return how many of the messages `first` to `messages` end with a packet, and its number."""
        for slot in range(messages - 1, first - 1, -1):
            if (number := self.packet(slot)) is not None:
                return slot + 1 - first, number
        return 0, 0

    def packet(self, slot: int) -> int | None:
        """Return the number of the packet that a message brings; None for messages of other kinds."""
        at = slot * _SLOT
        if struct.unpack_from("=H", self.data, at + 4)[0] != _PACKET:
            return None
        return int(struct.unpack_from(">I", self.data, at + _HEAD + 4)[0])

    def stamp(self, slot: int) -> int | None:
        """Return the time (ns since 1970) at which the kernel received a packet; None if it is unknown."""
        at = slot * _SLOT
        end = at + min(_SLOT, struct.unpack_from("=I", self.data, at)[0])
        at += _HEAD
        while at <= end - 20:
            length, kind = struct.unpack_from("=HH", self.data, at)
            if length < 4:
                break  # no attribute: the message was cut
            if kind == NFQA_TIMESTAMP:
                seconds, micro = struct.unpack_from(">QQ", self.data, at + 4)
                return int(seconds) * 1_000_000_000 + int(micro) * 1000
            at += length + -length % 4
        return None


def message(kind: int, flags: int, queue: int, attributes: bytes) -> bytes:
    """Build a netlink message to a netfilter queue."""
    body = struct.pack(">BBH", socket.AF_UNSPEC, 0, queue) + attributes
    return struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_QUEUE << 8 | kind, flags, 0, 0) + body


def attribute(kind: int, data: bytes) -> bytes:
    """Build a netlink attribute, padded to four bytes."""
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def bind_message(queue: int) -> bytes:
    """Build the message that asks for packets: no content, GSO packets whole, and never open when full."""
    return message(
        NFQNL_MSG_CONFIG,
        NLM_F_REQUEST | NLM_F_ACK,
        queue,
        attribute(NFQA_CFG_CMD, struct.pack(">BBH", NFQNL_CFG_CMD_BIND, 0, socket.AF_UNSPEC))
        + attribute(NFQA_CFG_PARAMS, struct.pack(">IB", 0, NFQNL_COPY_META))
        + attribute(NFQA_CFG_QUEUE_MAXLEN, struct.pack(">I", HELD_PACKETS))
        + attribute(NFQA_CFG_MASK, struct.pack(">I", FAIL_OPEN | GSO))
        + attribute(NFQA_CFG_FLAGS, struct.pack(">I", GSO)),
    )


def verdict_message(queue: int) -> bytearray:
    """Build the message that accepts all packets up to a number, to be written into its last 4 bytes."""
    verdict = attribute(NFQA_VERDICT_HDR, struct.pack(">II", NF_ACCEPT, 0))
    return bytearray(message(NFQNL_MSG_VERDICT_BATCH, NLM_F_REQUEST, queue, verdict))


class Queue:
    """A delay line on one netfilter queue of this process's network namespace.

    Args:
        number: of the queue, as the NFQUEUE rule has it.
        delay: ns from arrival to release.
        mailbox: shared room for messages.
        waiting: tells whether packets wait for the link's rate, past this queue. Where they do, one
            that is let go later than it should be leaves the link no later.

    Raises:
        OSError: the queue belongs to another process, or there is no right to have it.
    """

    clock = staticmethod(time.monotonic_ns)

    def __init__(
        self, number: int, delay: int, mailbox: Mailbox, waiting: Callable[[], bool] = lambda: False
    ) -> None:
        self.number, self.delay, self.waiting = number, delay, waiting
        #: What chance does to single packets; None where all are treated alike.
        self.variation: Variation | None = None
        self.limit = HELD_PACKETS
        self.packets = self.batches = self.refused = self.latest = self.lost = 0
        self.late = 0  # by how much in all, ns, of all packets together
        self.lateness = [0] * (len(EDGES) + 1)
        self._mailbox = mailbox
        self._held: deque[tuple[int, int, int]] = deque()  # deadline, number of the last packet, packets
        self._verdict = verdict_message(number)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        self._bind()

    def _bind(self) -> None:
        self._socket.send(bind_message(self.number))
        self._socket.settimeout(1.0)
        kind = _PACKET
        while kind != NLMSG_ERROR:  # packets may come before the answer; they leave with the next verdict
            answer = self._socket.recv(256)
            kind = struct.unpack_from("=H", answer, 4)[0]
        self._socket.setblocking(False)
        status = -struct.unpack_from("=i", answer, 16)[0]
        if status:
            self._socket.close()
            raise OSError(status, f"netfilter queue {self.number}: {os.strerror(status)}")

    def set_limit(self, packets: int) -> None:
        """Have room for so many packets."""
        if packets != self.limit:
            limit = attribute(NFQA_CFG_QUEUE_MAXLEN, struct.pack(">I", packets))
            self._socket.send(message(NFQNL_MSG_CONFIG, NLM_F_REQUEST, self.number, limit))
            self.limit = packets

    def fileno(self) -> int:
        """Return the descriptor that can be read when packets come."""
        return self._socket.fileno()

    def receive(self, now: int, wall: int) -> int:
        """Note the packets that came; `now` is the time by the monotonic clock, `wall` since 1970 (both ns).

        Up to `BATCH` packets found together leave together, when the middle of their times of
        arrival says so. Returns how many packets came.
        """
        mailbox, before = self._mailbox, self.packets
        messages = mailbox.read(self._socket.fileno())
        if self.variation is not None:
            self._receive_each(messages, now, wall, self.variation)
            return self.packets - before
        for first in range(0, messages, BATCH):
            packets, last = mailbox.last_packet(min(first + BATCH, messages), first)
            if not packets:
                continue  # messages of other kinds
            self._hold(now - self._age(first, packets, wall) + self.delay, last, packets)
            self.packets += packets
        return self.packets - before

    def _receive_each(self, messages: int, now: int, wall: int, variation: Variation) -> None:
        """Note every packet by itself: some are lost, some go ahead, the others leave in their order."""
        for slot in range(messages):
            packet = self._mailbox.packet(slot)
            if packet is None:
                continue
            self.packets += 1
            if variation.lost() and self._decide(NF_DROP, packet):
                self.lost += 1
            elif not (variation.early() and self._decide(NF_ACCEPT, packet)):
                delay = max(0, self.delay + variation.extra())
                self._hold(now - self._age(slot, 1, wall) + delay, packet, 1)

    def _decide(self, verdict: int, packet: int) -> bool:
        """Accept or drop one packet at once, without regard to earlier ones; False when the verdict could
        not be sent.
        """
        header = attribute(NFQA_VERDICT_HDR, struct.pack(">II", verdict, packet))
        try:
            self._socket.send(message(NFQNL_MSG_VERDICT, NLM_F_REQUEST, self.number, header))
        except OSError:
            self.refused += 1
            return False
        return True

    def _hold(self, deadline: int, last: int, packets: int) -> None:
        held = self._held
        if held and held[-1][0] > deadline:
            deadline = held[-1][0]  # a shorter delay: nothing overtakes
        held.append((deadline, last, packets))
        self.batches += 1

    def _age(self, first: int, packets: int, wall: int) -> int:
        """Return how long ago (ns) so many packets in the mailbox came, on average."""
        newest = self._mailbox.stamp(first + packets - 1)
        if newest is None:
            return 0
        oldest = self._mailbox.stamp(first) or newest
        return min(max(0, wall - (oldest + newest) // 2), OLDEST)

    def release(self, now: int) -> int | None:
        """Let go what is due at `now` (ns), a `TURN` at most; returns when the next is due, or None."""
        held = self._held
        if held and held[0][0] <= now:
            first, last, packets = held.popleft()
            while held and held[0][0] <= now and packets + held[0][2] <= TURN:
                _, last, more = held.popleft()
                packets += more
            self._accept(first, last, packets)
        return held[0][0] if held else None

    def _accept(self, deadline: int, last: int, packets: int) -> None:
        waiting = self.clock() - deadline > SLACK and self.waiting()
        struct.pack_into(">I", self._verdict, len(self._verdict) - 4, last)
        try:
            self._socket.send(self._verdict)
        except OSError:  # no memory for the message: it is sent again with the next batch
            self._held.appendleft((deadline, last, packets))
            self.refused += 1
            return
        late = 0 if waiting else self.clock() - deadline
        self.lateness[bisect_left(EDGES, late)] += packets
        self.late += max(0, late) * packets
        if late > self.latest:
            self.latest = late

    def close(self) -> None:
        """Give the queue up; the kernel drops what it holds."""
        self._socket.close()
