"""The kernel's time of arrival of packets. No root."""

from __future__ import annotations

import socket
import struct
import time

from lab.emulation.links import timestamps


def test_packets_that_wait_have_the_time_of_their_arrival() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        timestamps.enable(receiver)
        receiver.setblocking(False)
        before = time.time_ns()
        for number in range(3):
            sender.sendto(bytes([number]), receiver.getsockname())
        arrivals = list(timestamps.arrivals(receiver, 16))

    assert [packet for packet, _ in arrivals] == [b"\0", b"\1", b"\2"]
    assert all(before - 1_000_000 < stamp < time.time_ns() + 1_000_000 for _, stamp in arrivals)


def test_a_packet_without_a_time_has_none() -> None:
    assert timestamps.arrival([(socket.SOL_SOCKET, 1, bytes(16))]) is None


def test_a_time_is_seconds_and_the_rest_in_nanoseconds() -> None:
    data = struct.pack("=qq", 1_700_000_000, 123_456_789)
    stamp = (socket.SOL_SOCKET, timestamps.SO_TIMESTAMPNS, data + b"more")
    others = [(socket.SOL_SOCKET, 1, data), (socket.SOL_SOCKET + 1, timestamps.SO_TIMESTAMPNS, data)]
    assert timestamps.arrival([*others, stamp]) == 1_700_000_000_123_456_789
    assert timestamps.arrival(others) is None
