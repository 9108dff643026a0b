"""Meter of links, from both ends in one process: ``python -m lab.emulation.links.link_meter``.

The order, on standard input, is JSON: ``links``, each with the network namespaces and addresses of
its two ends, its MTU, and what each direction was asked for; ``seconds``, how long to look; ``rates``,
whether to fill links for their rate. The answer is JSON too: per link round trips (ms, both ends asking), and
per direction one-way times, how many packets were sent and came, and the rate (Mbit/s).

One process has sockets in all namespaces, so one clock serves both ends. Times of arrival are the
kernel's; only sending is this process's own.
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
from typing import Any

from lab.emulation.links import icmp, netns, timestamps

SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
PORT = 9  # discard: should a datagram come late, nobody minds
#: Seconds between two echoes, and between two datagrams, of one direction; longer on slow links, so
#: that they are at most this share of the rate.
ECHO_EACH, DATAGRAM_EACH, SHARE = 0.01, 0.002, 0.05
#: Seconds for which a link is filled, by which factor more than its rate, and how long its bucket may
#: let more pass at first.
FILLED, OVER, SETTLING = 0.2, 1.15, 0.05
#: Seconds that the last packets may take beyond what the links were asked for.
PATIENCE = 0.3
HEADERS = 42  # bytes of Ethernet, IPv4 and UDP
FRAME = 70  # bytes of a datagram that is looked for, on the wire
#: Seconds of its rate that a link's bucket may hold, and rather more.
BUCKET_SECONDS = 0.005
CHUNK_SECONDS, MOST_SEGMENTS = 0.002, 40
BUFFER = 16 << 20


class EndSockets:
    """Sockets at one end of a link: it asks the other end for echoes, and sends and receives datagrams."""

    def __init__(self, namespace: str, address: str, other: str, identity: int) -> None:
        self.address = address
        with netns.entered(namespace):
            self.echo = icmp.EchoSocket(other, identity)
            self.data = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.data.bind((address, PORT))
        timestamps.enable(self.data)
        for link in (self.echo.socket, self.data):
            link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
            link.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
            link.setblocking(False)


class DirectionMeter:
    """One direction of a link while it is looked at."""

    def __init__(
        self, source: EndSockets, target: EndSockets, rate: float | None, number: int, seconds: float
    ) -> None:
        self.source, self.target, self.rate = source, target, rate
        slowest = FRAME * 8 / (SHARE * rate * 1e6) if rate else 0.0
        echoes, datagrams = max(ECHO_EACH, 2 * slowest), max(DATAGRAM_EACH, slowest)
        self.echo_due = [n * echoes + number * 1e-4 for n in range(max(1, int(seconds / echoes)))]
        self.data_due = [n * datagrams + number * 1e-4 for n in range(max(1, int(seconds / datagrams)))]
        self.sent = 0
        self.came: dict[int, float] = {}

    def send(self, passed: float) -> float:
        """Send what is due `passed` seconds after the beginning; return when the next is (s)."""
        echo = self.source.echo
        while len(echo.sent) < len(self.echo_due) and self.echo_due[len(echo.sent)] <= passed:
            with suppress(OSError):  # it counts as lost
                echo.send()
        while self.sent < len(self.data_due) and self.data_due[self.sent] <= passed:
            _try(self.source.data, struct.pack("=qq12x", self.sent, time.time_ns()), self.target.address)
            self.sent += 1
        left = [*self.echo_due[len(echo.sent) :][:1], *self.data_due[self.sent :][:1]]
        return min(left, default=float("inf"))

    def receive(self) -> None:
        """Take answers and datagrams that have come."""
        self.source.echo.receive()
        for packet, stamp in timestamps.arrivals(self.target.data, 256):
            if len(packet) == 28:
                number, sent = struct.unpack_from("=qq", packet)
                self.came.setdefault(number, (stamp - sent) / 1e6)

    @property
    def complete(self) -> bool:
        """True when everything that is sent has come."""
        return len(self.source.echo.rtts) == len(self.echo_due) and len(self.came) == len(self.data_due)


def _try(link: socket.socket, packet: bytes, address: str) -> None:
    with suppress(OSError):  # it counts as lost
        link.sendto(packet, (address, PORT))


def look(meters: Sequence[DirectionMeter], longest: float) -> None:
    """Send and receive on all directions at once; `longest` (s) is the longest round trip asked for."""
    poll = select.poll()
    for meter in meters:
        for link in (meter.source.echo.socket, meter.target.data):
            poll.register(link, select.POLLIN)
    start, last = time.monotonic(), 0.0
    while True:
        passed = time.monotonic() - start
        due = min(meter.send(passed) for meter in meters)
        last = passed if due != float("inf") else last
        for meter in meters:
            meter.receive()
        if due == float("inf") and (
            all(meter.complete for meter in meters) or passed > last + longest + PATIENCE
        ):
            return
        wait = min(due, last + longest + PATIENCE) - (time.monotonic() - start)
        poll.poll(max(0.0, min(0.05, wait)) * 1000)


def fill(meter: DirectionMeter, payload: int) -> float | None:
    """Return the rate (Mbit/s, Ethernet headers included) of a direction with one that is offered more."""
    if meter.rate is None:
        return None
    per_packet = payload + HEADERS
    segments = max(
        1, min(MOST_SEGMENTS, 65000 // payload, int(meter.rate * 1e6 / 8 * CHUNK_SECONDS / per_packet))
    )
    # a slow link is filled for longer: its rate is to be seen on some packets at least
    seconds = max(FILLED, 12 * per_packet * 8 / (meter.rate * 1e6))
    meter.source.data.setsockopt(SOL_UDP, UDP_SEGMENT, payload if segments > 1 else 0)
    meter.target.data.setsockopt(SOL_UDP, UDP_GRO, int(segments > 1))
    chunk = bytes(segments * payload)
    each = len(chunk) // payload * per_packet * 8 / (meter.rate * 1e6) / OVER
    # the bucket is emptied at once, so that what is then seen is the rate
    volley = max(6, int(BUCKET_SECONDS * meter.rate * 1e6 / 8 / len(chunk)))
    got, start, sent = [], time.monotonic(), -volley
    while (passed := time.monotonic() - start) < 3 * seconds + 10:
        while sent * each <= min(passed, seconds):
            _try(meter.source.data, chunk, meter.target.address)
            sent += 1
        fresh = [(stamp, len(packet)) for packet, stamp in timestamps.arrivals(meter.target.data, 65536)]
        got += fresh
        quiet = time.time_ns() - got[-1][0] > 5e7 + 2e9 * each if got else passed > seconds + 2
        if passed > seconds and quiet and not fresh:
            break
        time.sleep(min(2e-4, each / 4))
    meter.source.data.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
    meter.target.data.setsockopt(SOL_UDP, UDP_GRO, 0)
    return arrival_rate(got, payload, min(SETTLING, seconds / 4))


def arrival_rate(got: Sequence[tuple[int, int]], payload: int, settling: float) -> float:
    """Return the rate (Mbit/s) of arrivals (ns, bytes), without what comes while a bucket empties."""
    if len(got) < 3:
        return 0.0
    kept = [(stamp, size) for stamp, size in got if stamp >= got[0][0] + settling * 1e9]
    if len(kept) < 3 or kept[-1][0] <= kept[0][0]:
        kept = list(got)
    total = sum(size + -(-size // payload) * HEADERS for _, size in kept[1:])
    return total * 8e3 / max(1, kept[-1][0] - kept[0][0])


def measure(order: Mapping[str, Any]) -> dict[str, Any]:
    """Carry an order out; return the answer."""
    found, meters = {}, []
    for number, link in enumerate(order["links"]):
        address_a, address_b, identity = link["address_a"], link["address_b"], os.getpid() + 2 * number
        a = EndSockets(link["end_a"], address_a, address_b, identity)
        b = EndSockets(link["end_b"], address_b, address_a, identity + 1)
        pair = [
            DirectionMeter(a, b, link["rate_ab"], 2 * number, order["seconds"]),
            DirectionMeter(b, a, link["rate_ba"], 2 * number + 1, order["seconds"]),
        ]
        meters += pair
        found[link["name"]] = (link, pair)
    for meter in meters:  # neighbours find each other's hardware addresses
        _try(meter.source.data, b"", meter.target.address)
    longest = max((link["rtt"] for link in order["links"]), default=0.0) / 1e3
    time.sleep(longest + 0.02)
    look(meters, longest)
    answer: dict[str, dict[str, Any]] = {}
    for name, (link, pair) in found.items():
        answer[name] = {"rtt": [rtt for meter in pair for rtt in meter.source.echo.rtts.values()]}
        for direction, meter in zip(("ab", "ba"), pair, strict=True):
            rate = fill(meter, link["mtu"] - 28) if order["rates"] else None
            answer[name][direction] = {
                "sent": len(meter.data_due),
                "came": len(meter.came),
                "ms": list(meter.came.values()),
                "rate": rate,
            }
    return answer


def set_realtime_priority() -> None:
    """Be woken in time, where that is allowed; the wire goes before."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


if __name__ == "__main__":
    set_realtime_priority()
    sys.stdout.write(json.dumps(measure(json.load(sys.stdin))) + "\n")
