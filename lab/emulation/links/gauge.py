"""Counts of all links at once, from one answer of the kernel: for those who look every second.

`Shaper.counters` starts `tc` twice, which costs more than all else of a look. A gauge keeps a netlink socket
in the lab's namespace and asks for every discipline in one message. Numbers are from
``linux/rtnetlink.h`` and ``linux/pkt_sched.h``.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lab.emulation.links import netns
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.errors import ShaperError

RTM_NEWQDISC, RTM_GETQDISC, NLMSG_DONE, NLMSG_ERROR = 36, 38, 3, 2
REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
TCA_STATS = 3
#: bytes of the netlink and traffic control headers before the first attribute
_HEAD = 16 + 20
REQUEST = struct.pack("=IHHIIBxxxiIII", _HEAD, RTM_GETQDISC, REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0)
#: The disciplines of a port by the major number of their handle; see `netem` and `htb`.
HTB, NETEM, BFIFO = 1, 2, 3
_WRAP = 1 << 32  # the kernel's counts of packets have 32 bits
_RECEIVE = 1 << 17
#: How long the kernel may take to answer (s).
PATIENCE = 5.0
_STATS = struct.Struct("=QIIIIIII")  # bytes, packets, drops, overlimits, bps, pps, qlen, backlog


class Flow(NamedTuple):
    """Counts of one direction of a link since it was made, and what waits now.

    Attributes:
        packets: packets that left the link.
        bytes: bytes that left the link.
        waiting: packets in the queue before the rate.
        waiting_bytes: bytes in the queue before the rate.
        overflow: packets dropped because that queue was full: what a real link does.
        lost: packets that were dropped for any other reason, by chance as asked or not.
        unexpected: packets dropped that no parameter asked for.
        late: packets whose lateness is known, and `late_ms` the sum of their lateness (ms).
    """

    packets: int
    bytes: int
    waiting: int
    waiting_bytes: int
    overflow: int
    lost: int
    unexpected: int
    late: int = 0
    late_ms: float = 0.0


class Discipline(NamedTuple):
    """A discipline of a port: what went through it, and what waits in it."""

    bytes: int
    packets: int
    drops: int
    waiting: int
    waiting_bytes: int


NOTHING = Discipline(0, 0, 0, 0, 0)
Disciplines = Mapping[tuple[int, int], Discipline]


class Gauge:
    """Reads the links of one lab. A subclass knows where its shaper loses packets.

    Raises:
        ShaperError: the lab's namespace is gone.
    """

    def __init__(self, lab_namespace: str) -> None:
        self.namespace = netns.path(lab_namespace)
        self._ports: dict[str, int] = {}
        opened = netns.in_each({"": self.namespace}, lambda _: _socket())
        if not opened:
            raise ShaperError(f"the links' namespace {lab_namespace} is gone; take the lab down")
        self._socket = opened[""]

    def read(self, states: Mapping[str, LinkState]) -> dict[str, tuple[Flow, Flow]]:
        """Return the flow from a to b and from b to a of each link; links without ports are left out.

        Raises:
            ShaperError: the kernel or the shaper does not answer.
        """
        self._find_ports(states)
        found = dict(self._dump())
        flows = {}
        for name, link in states.items():
            ab, ba = (self._flow(link, d, found) for d in DIRECTIONS)
            if ab and ba:
                flows[name] = (ab, ba)
        return flows

    def close(self) -> None:
        """Let go of the namespace. A closed gauge reads nothing."""
        self._socket.close()

    def _flow(self, link: LinkState, direction: str, found: Disciplines) -> Flow | None:
        index = self._ports.get(link.port_out(direction), 0)
        htb, queue = found.get((index, HTB)), found.get((index, BFIFO), NOTHING)
        if htb is None:
            return None
        return self._counted(link, direction, htb, queue, found.get((index, NETEM), NOTHING))

    def _counted(
        self, link: LinkState, direction: str, htb: Discipline, queue: Discipline, netem: Discipline
    ) -> Flow:
        """Return the flow of a direction from its disciplines."""
        lost = max(0, netem.drops - queue.drops)
        unexpected = 0 if link.shape(direction).loss else lost
        return Flow(htb.packets, htb.bytes, queue.waiting, queue.waiting_bytes, queue.drops, lost, unexpected)

    def _find_ports(self, states: Mapping[str, LinkState]) -> None:
        """Learn the numbers of the ports, again when a link has none yet."""
        if any(link.port_out("ab") not in self._ports for link in states.values()):
            named = netns.in_each({"": self.namespace}, lambda _: socket.if_nameindex())
            self._ports = {name: index for index, name in named.get("", [])}

    def _dump(self) -> Iterator[tuple[tuple[int, int], Discipline]]:
        """Yield every discipline of the namespace that has a handle, by its device and its major number."""
        try:
            self._socket.send(REQUEST)
            while True:
                data = self._socket.recv(_RECEIVE)
                yield from disciplines(data)
                if last(data):
                    return
        except OSError as error:
            raise ShaperError(
                f"the kernel does not tell about links in {self.namespace} ({error})"
            ) from error


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.bind((0, 0))
    made.settimeout(PATIENCE)
    return made


def disciplines(data: bytes) -> Iterator[tuple[tuple[int, int], Discipline]]:
    """Yield the disciplines of a part of the kernel's answer; other messages are passed over."""
    at, end = 0, len(data)
    while at + 16 <= end:
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16 or at + length > end:
            return
        if kind == RTM_NEWQDISC and length > _HEAD:
            index, handle = struct.unpack_from("=iI", data, at + 20)
            if handle and (stats := _stats(data, at + _HEAD, at + length)):
                yield (index, handle >> 16), stats
        at += length + -length % 4


def last(data: bytes) -> bool:
    """Return True when a part of the kernel's answer is its end, or an error."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (NLMSG_DONE, NLMSG_ERROR) or length < 16:
            return True
        at += length + -length % 4
    return not data


def _stats(data: bytes, at: int, end: int) -> Discipline | None:
    while at + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > end:
            return None
        if kind == TCA_STATS and length >= 4 + _STATS.size:
            count, packets, drops, _, _, _, waiting, waiting_bytes = _STATS.unpack_from(data, at + 4)
            return Discipline(count, packets, drops, waiting, waiting_bytes)
        at += length + -length % 4
    return None


def added(now: int, before: int) -> int:
    """Return what was added to a count of 32 bits, which may have begun again at 0."""
    return (now - before) % _WRAP
