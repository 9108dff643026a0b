"""Counts of all links from one answer of the kernel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.emulation.links import gauge
from lab.emulation.links.gauge import Discipline, Gauge
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError

LINK = LinkState("AMS-PRG", 1, Shape(10.0, rate=50.0), Shape(10.0, loss=1.0))


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(index: int, handle: int, stats: tuple[int, ...] | None, kind: int = gauge.RTM_NEWQDISC) -> bytes:
    """A message of the kernel about one discipline: its name, then its counts."""
    body = struct.pack("=BxxxiIII", 0, index, handle, 0, 0) + attribute(1, b"htb\0")
    if stats is not None:
        body += attribute(gauge.TCA_STATS, struct.pack("=QIIIIIII", *stats))
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


COUNTS = (1_500_000, 1000, 7, 0, 0, 0, 3, 4500)
DONE = struct.pack("=IHHIIi", 20, gauge.NLMSG_DONE, 2, 1, 0, 0)


def test_disciplines_are_read_by_device_and_kind_and_the_rest_is_passed_over() -> None:
    data = message(5, 1 << 16, COUNTS) + message(6, 0, COUNTS) + message(7, 3 << 16, None)
    data += message(8, 1 << 16, COUNTS, kind=99) + DONE
    assert dict(gauge.disciplines(data)) == {(5, gauge.HTB): Discipline(1_500_000, 1000, 7, 3, 4500)}
    assert gauge.last(data)
    assert not gauge.last(message(5, 1 << 16, COUNTS))


@given(st.binary(max_size=300), st.integers(0, 120))
def test_an_answer_that_is_none_or_was_cut_off_ends(data: bytes, cut: int) -> None:
    list(gauge.disciplines(data))
    gauge.last(data)
    list(gauge.disciplines((message(5, 1 << 16, COUNTS) + data)[:cut]))


class Told(Gauge):
    """A gauge whose kernel says what a test says."""

    def __init__(self, data: bytes) -> None:
        self.namespace, self._data = "/run/netns/none", data
        self._ports = {"1a": 5, "1b": 6}

    def _dump(self):  # type: ignore[no-untyped-def]
        return gauge.disciplines(self._data)


def test_a_flow_is_made_of_the_disciplines_of_the_port_where_packets_leave() -> None:
    htb, netem, queue = (bytes_of(kind) for kind in (gauge.HTB, gauge.NETEM, gauge.BFIFO))
    data = b"".join(part(port) for port in (5, 6) for part in (htb, netem, queue))
    ab, ba = Told(data).read({"AMS-PRG": LINK})["AMS-PRG"]
    assert (ab.packets, ab.waiting, ab.waiting_bytes, ab.overflow) == (1000, 3, 4500, 7)
    # netem counts what the queue inside it drops as well
    assert (ab.lost, ab.unexpected) == (93, 93)
    assert (ba.lost, ba.unexpected) == (93, 0), "the loss of this direction was asked for"


def bytes_of(kind: int):  # type: ignore[no-untyped-def]
    counts = (1_500_000, 1000, 100, 0, 0, 0, 3, 4500) if kind == gauge.NETEM else COUNTS
    return lambda index: message(index, kind << 16, counts)


def test_a_link_whose_ports_are_gone_is_left_out() -> None:
    assert Told(message(5, 1 << 16, COUNTS)).read({"AMS-PRG": LINK}) == {}


def test_a_namespace_that_is_gone_is_said_to_be_so() -> None:
    with pytest.raises(ShaperError, match="is gone; take the lab down"):
        Gauge("lab-none-of-this-machine")


def test_a_count_of_32_bits_begins_again() -> None:
    assert gauge.added(5, (1 << 32) - 5) == 10
