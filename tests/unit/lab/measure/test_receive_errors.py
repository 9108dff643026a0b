"""Datagrams that a program was too slow to take, from the kernel's counters."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab.measure import receive_errors

SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 585 0 12 586 11 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
UdpLite: 0 0 0 0 7 0
"""


def test_the_counter_is_found_by_its_name() -> None:
    assert receive_errors.parse(SNMP) == 11


@pytest.mark.parametrize(
    "text", ["", "Udp: RcvbufErrors", "Udp: InDatagrams\nUdp: 5", "Udp: RcvbufErrors\nUdp: x"]
)
def test_a_kernel_that_does_not_tell_it_has_none(text: str) -> None:
    assert receive_errors.parse(text) is None


def test_this_kernel_counts_a_socket_whose_buffer_is_full() -> None:
    before = receive_errors.parse(Path(receive_errors.COUNTERS).read_text())
    assert before is not None
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        for _ in range(200):
            sender.sendto(bytes(1000), receiver.getsockname())
        after = receive_errors.parse(Path(receive_errors.COUNTERS).read_text())
    assert after is not None
    assert after - before >= 100
