"""How many packets wait for a rate, from the kernel's answer. No root."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace

import pytest

from lab.emulation.wire import qdisc_backlog


def test_how_many_packets_wait_is_found_in_the_kernels_answer() -> None:
    stats = struct.pack("=QIIIIIII", 1, 2, 3, 4, 5, 6, 41, 8) + bytes(4)
    kind = struct.pack("=HH4s", 8, 1, b"htb\0")
    answer = struct.pack("=IHHII20x", 0, qdisc_backlog.RTM_NEWTCLASS, 0, 0, 0) + kind
    answer += struct.pack("=HH", 4 + len(stats), qdisc_backlog.TCA_STATS) + stats

    assert qdisc_backlog.queue_length(answer) == 41
    assert qdisc_backlog.queue_length(answer[:60]) == 0
    assert qdisc_backlog.queue_length(b"") == 0


def test_a_port_that_is_not_there_has_nothing_waiting() -> None:
    exits = qdisc_backlog.QdiscBacklog()

    assert not exits.waiting("nowhere", 1)
    assert not exits.waiting("lo", 1)
    exits._socket.close()


def attribute(kind: int, value: bytes, length: int | None = None) -> bytes:
    return (
        struct.pack("=HH", 4 + len(value) if length is None else length, kind)
        + value
        + bytes(-len(value) % 4)
    )


HEAD = struct.pack("=IHHII20x", 0, qdisc_backlog.RTM_NEWTCLASS, 0, 0, 0)
#: `struct tc_stats` up to and with the number of packets that wait.
WAIT = bytes(qdisc_backlog._WAITING) + struct.pack("=I", 7)


@pytest.mark.parametrize(
    ("answer", "waiting"),
    [
        (HEAD + attribute(3, WAIT), 7),
        # of a length that is no multiple of four, which is filled up
        (HEAD + attribute(1, b"htb-x") + attribute(3, WAIT), 7),
        (HEAD + attribute(2, b"") + attribute(3, WAIT), 7),
        (HEAD + attribute(3, WAIT[:-1]), 0),
        (HEAD + attribute(4, WAIT), 0),
        (HEAD + attribute(1, b"", 3) + attribute(3, WAIT), 0),
        (HEAD + attribute(1, b"", 0) + attribute(3, WAIT), 0),
        (HEAD + attribute(3, WAIT, 37), 0),
        (HEAD, 0),
        (HEAD[:-1], 0),
        (HEAD[:4] + b"\x29\0" + HEAD[6:] + attribute(3, WAIT), 0),
    ],
)
def test_an_answer_is_read_attribute_by_attribute(answer: bytes, waiting: int) -> None:
    assert qdisc_backlog.queue_length(answer) == waiting


def test_the_kernel_is_asked_about_one_class_of_one_device() -> None:
    asked = qdisc_backlog.request(5, 10)
    assert struct.unpack_from("=IHH", asked) == (len(asked), qdisc_backlog.RTM_GETTCLASS, 1)
    assert struct.unpack_from("=iIII", asked, 20) == (5, 1 << 16 | 10, 1 << 16, 0)


@pytest.mark.parametrize(("length", "waits"), [(0, False), (1, True)])
def test_one_packet_that_waits_is_enough(length: int, waits: bool) -> None:
    exits, said = qdisc_backlog.QdiscBacklog(), list[bytes]()
    exits._socket.close()
    answer = HEAD + attribute(3, bytes(qdisc_backlog._WAITING) + struct.pack("=I", length))
    exits._socket = SimpleNamespace(send=said.append, recv=lambda size: answer)  # type: ignore[assignment]
    assert exits.waiting("lo", 10) is waits
    assert said == [qdisc_backlog.request(socket.if_nametoindex("lo"), 10)]
