"""ICMP echoes over the loopback: what is sent, what is timed, many at once. Needs root for raw sockets."""

from __future__ import annotations

import os

import pytest

from lab.emulation.links import icmp

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")


def test_a_request_is_a_valid_packet_and_only_our_answers_count() -> None:
    packet = icmp.request(0x1234, 7)
    ip_header = b"\x45" + bytes(19)
    reply = ip_header + bytes([icmp.REPLY]) + packet[1:]

    assert icmp.checksum(packet) == 0
    assert icmp.reply_number(reply, 0x1234) == 7
    assert icmp.reply_number(reply, 0x1235) is None
    assert icmp.reply_number(ip_header + packet, 0x1234) is None


def test_times_are_printed_as_they_are_read() -> None:
    assert icmp.parse("[1.5, null]") == [1.5, None]


@needs_root
def test_every_request_has_a_time() -> None:
    times = icmp.measure("127.0.0.1", 3, 1.0)

    assert len(times) == 3
    assert all(time is not None and 0 <= time < 1000 for time in times)


@needs_root
def test_a_sweep_times_those_that_answer_and_leaves_out_what_is_gone() -> None:
    here = "/proc/self/ns/net"
    targets = {
        "here": icmp.SweepTarget(here, "127.0.0.1"),
        "gone": icmp.SweepTarget("/run/netns/lab-that-never-was", "127.0.0.1"),
        "silent": icmp.SweepTarget(here, "0.0.0.1"),
    }

    rtts = icmp.sweep(targets, 0.05)

    assert set(rtts) == {"here"}
    assert 0 <= rtts["here"] < 1000
