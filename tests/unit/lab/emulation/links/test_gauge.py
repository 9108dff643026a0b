"""Counts of all links from one answer of the kernel."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

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


@pytest.fixture
def kernel() -> Iterator[socket.socket]:
    """The kernel's end of a socket; the other one is that of a gauge."""
    for one in (ends := socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)):
        one.settimeout(5.0)
    GAUGE._socket = ends[0]
    yield ends[1]
    for one in ends:
        one.close()


GAUGE = Told(b"")


def test_all_disciplines_are_asked_for_in_one_message_and_read_to_the_end(kernel: socket.socket) -> None:
    for part in (message(5, 1 << 16, COUNTS), message(6, 2 << 16, COUNTS) + DONE):
        kernel.send(part)
    found = dict(Gauge._dump(GAUGE))
    counted = Discipline(1_500_000, 1000, 7, 3, 4500)
    assert found == {(5, gauge.HTB): counted, (6, gauge.NETEM): counted}
    asked = kernel.recv(1000)
    assert struct.unpack_from("=IHHII", asked) == (len(asked), gauge.RTM_GETQDISC, gauge.REQUEST_DUMP, 1, 0)
    assert asked[16:] == bytes(20), "of every device"


def test_a_kernel_that_does_not_answer_is_told(kernel: socket.socket) -> None:
    GAUGE._socket.settimeout(0.01)
    with pytest.raises(ShaperError, match="the kernel does not tell about links in /run/netns/none"):
        list(Gauge._dump(GAUGE))


def test_the_kernel_of_this_machine_understands_the_question() -> None:
    with gauge._socket() as opened:
        assert opened.gettimeout() == gauge.PATIENCE, "a kernel that does not answer is not waited for longer"
        opened.send(gauge.REQUEST)
        kind = struct.unpack_from("=IH", opened.recv(1 << 17))[1]
    assert kind in (gauge.RTM_NEWQDISC, gauge.NLMSG_DONE)


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b"", True),
        (DONE[:16], True),
        (struct.pack("=IHHII", 16, gauge.NLMSG_ERROR, 0, 1, 0), True),
        (message(5, 1 << 16, COUNTS) + DONE, True),
        (struct.pack("=IHHII", 15, 99, 0, 1, 0) + DONE, True),
        (struct.pack("=IHHII", 16, 99, 0, 1, 0), False),
        (struct.pack("=IHHII", 17, 99, 0, 1, 0) + bytes(4) + DONE, True),
        (message(5, 1 << 16, COUNTS), False),
    ],
)
def test_an_answer_ends_with_its_last_message(data: bytes, ends: bool) -> None:
    assert gauge.last(data) is ends


def test_messages_and_attributes_stand_at_multiples_of_four_bytes() -> None:
    odd = struct.pack("=IHHII", 17, 99, 0, 1, 0) + bytes(4)
    assert len(list(gauge.disciplines(odd + message(5, 1 << 16, COUNTS)))) == 1


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        (attribute(1, b"bfifo\0") + attribute(gauge.TCA_STATS, struct.pack("=QIIIIIII", *COUNTS)), 1),
        (attribute(gauge.TCA_STATS, bytes(32)), 0),
        (attribute(1, b"") + attribute(gauge.TCA_STATS, bytes(36)), 1),
        (struct.pack("=HH", 3, 1) + attribute(gauge.TCA_STATS, bytes(36)), 0),
        (attribute(gauge.TCA_STATS, bytes(36))[:-1], 0),
    ],
    ids=("behind another", "too short", "behind an empty one", "behind a broken one", "cut off"),
)
def test_counts_are_read_where_they_are_whole(attributes: bytes, number: int) -> None:
    header = struct.pack("=BxxxiIII", 0, 5, 1 << 16, 0, 0)
    data = struct.pack("=IHHII", 36 + len(attributes), gauge.RTM_NEWQDISC, 2, 1, 0) + header + attributes
    assert len(list(gauge.disciplines(data))) == number


def test_a_port_that_is_not_there_is_no_device_of_the_machine() -> None:
    told = Told(message(1, 1 << 16, COUNTS) + message(0, 1 << 16, COUNTS)[:-1])
    told._ports = {"1a": 7, "1b": 8}
    assert told.read({"AMS-PRG": LINK}) == {}


def test_a_gauge_finds_ports_again_only_when_a_link_has_none_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def in_each(namespaces: dict[str, str], work: object) -> dict[str, object]:
        looked.append(dict(namespaces))
        return {name: [(7, "1a"), (8, "1b")] for name in namespaces}

    monkeypatch.setattr(gauge.netns, "in_each", in_each)
    htb = message(7, 1 << 16, COUNTS) + message(8, 1 << 16, (9, 8, 7, 0, 0, 0, 6, 5))
    told = Told(htb)
    told._ports = {}
    for _ in range(2):
        ab, ba = told.read({"AMS-PRG": LINK})["AMS-PRG"]
    assert looked == [{"": "/run/netns/none"}]
    assert (ab[:4], ba[:4]) == ((8, 9, 0, 0), (1000, 1_500_000, 0, 0)), (
        "packets leave at the other end's port"
    )
    monkeypatch.setattr(gauge.netns, "in_each", lambda namespaces, work: {})
    assert told.read({"C-D": LinkState("C-D", 3)}) == {}


def test_a_closed_gauge_reads_nothing(kernel: socket.socket) -> None:
    GAUGE.close()
    with pytest.raises(ShaperError):
        list(Gauge._dump(GAUGE))


def test_drops_of_netem_that_are_its_queue_s_own_are_no_loss() -> None:
    counted = GAUGE._counted(
        LINK, "ab", Discipline(9, 8, 0, 0, 0), Discipline(0, 0, 5, 2, 3), Discipline(0, 0, 3, 0, 0)
    )
    assert counted == (8, 9, 2, 3, 5, 0, 0, 0, 0.0)
