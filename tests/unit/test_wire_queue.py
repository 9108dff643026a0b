"""The delay line: when packets are let go, in which order, and how that is said to the kernel. No root."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.emulation import nfqueue, wired, wireloop
from lab.emulation.nfqueue import Mailbox, Queue

MS = 1_000_000


class Socket:
    """In place of a netlink socket: keeps the verdicts that were sent."""

    def __init__(self) -> None:
        self.verdicts: list[int] = []
        self.broken = False

    def send(self, message: bytes) -> None:
        if self.broken:
            raise OSError("no memory")
        self.verdicts.append(struct.unpack(">I", message[-4:])[0])

    def fileno(self) -> int:
        return 0

    def close(self) -> None: ...


class Letters(Mailbox):
    """A mailbox with so many packets, numbered on, of a given age."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self.next = 1

    def read(self, fd: int) -> int:
        self.last += self.next
        return self.next

    def last_packet(self, messages: int) -> tuple[int, int]:
        return messages, self.last

    def stamp(self, slot: int) -> int | None:
        return None


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return make()


def make(delay: int = 10 * MS) -> Queue:
    line = Queue.__new__(Queue)
    line.number, line.delay, line._mailbox = 1, delay, Letters()
    line.packets = line.batches = line.refused = line.latest = 0
    line.lateness = [0] * (len(nfqueue.EDGES) + 1)
    line._held, line._verdict = nfqueue.deque(), nfqueue.verdict_message(1)
    line._socket = Socket()  # type: ignore[assignment]
    return line


def verdicts(line: Queue) -> list[int]:
    return line._socket.verdicts  # type: ignore[attr-defined, no-any-return]


def test_packets_leave_when_they_are_due_and_not_before(queue: Queue) -> None:
    queue.take(0, 0)
    queue.take(5 * MS, 0)

    assert queue.release(9 * MS) == 10 * MS
    assert verdicts(queue) == []
    assert queue.release(10 * MS) == 15 * MS
    assert verdicts(queue) == [1]
    assert queue.release(16 * MS) is None
    assert verdicts(queue) == [1, 2]


def test_all_that_is_due_leaves_with_one_message(queue: Queue) -> None:
    for at in range(5):
        queue.take(at, 0)

    queue.release(11 * MS)

    assert verdicts(queue) == [5]
    assert sum(queue.lateness) == 5
    assert queue.latest == 1 * MS


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(0, 40 * MS)), max_size=30))
def test_changed_delays_never_make_packets_overtake_or_leave_early(steps: list[tuple[int, int]]) -> None:
    line, now, asked = make(0), 0, []
    for later, delay in steps:
        now += later
        line.delay = delay
        line.take(now, 0)
        asked.append(now + delay)

    deadlines = [deadline for deadline, _, _ in line._held]

    assert deadlines == sorted(deadlines)
    assert all(deadline >= least for deadline, least in zip(deadlines, asked, strict=True))


def test_a_verdict_that_could_not_be_sent_is_sent_again(queue: Queue) -> None:
    socket: Any = queue._socket
    queue.take(0, 0)
    socket.broken = True
    assert queue.release(10 * MS) == 10 * MS
    socket.broken = False

    queue.release(12 * MS)

    assert verdicts(queue) == [1]
    assert queue.refused == 1


def test_a_packets_own_time_of_arrival_counts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue._mailbox, "stamp", lambda slot: 1_000_000_000)

    queue.take(100 * MS, 1_000_000_000 + 4 * MS)

    assert queue._held[0][0] == 100 * MS - 4 * MS + 10 * MS


@pytest.mark.parametrize(("wall", "age"), [(0, 0), (10**18, nfqueue.OLDEST)])
def test_a_clock_that_was_set_does_no_harm(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, wall: int, age: int
) -> None:
    monkeypatch.setattr(queue._mailbox, "stamp", lambda slot: 10**12)

    queue.take(100 * MS, wall)

    assert queue._held[0][0] == 100 * MS - age + 10 * MS


def test_of_a_batch_the_last_packet_is_read_and_other_messages_are_passed_over() -> None:
    mailbox = Mailbox()
    for slot, kind in enumerate((768, 768, nfqueue.NLMSG_ERROR)):
        at = slot * nfqueue._SLOT
        struct.pack_into("=IHHIIBBH", mailbox.data, at, 80, kind, 0, 0, 0, 0, 0, 0)
        struct.pack_into("=HH", mailbox.data, at + 20, 11, 1)
        struct.pack_into(">I", mailbox.data, at + 24, 700 + slot)

    assert mailbox.last_packet(3) == (2, 701)
    assert mailbox.last_packet(1) == (1, 700)
    assert mailbox.stamp(0) is None


def test_the_kernels_time_is_found_among_the_attributes() -> None:
    mailbox = Mailbox()
    struct.pack_into("=IHHIIBBH", mailbox.data, 0, 52, 768, 0, 0, 0, 0, 0, 0)
    struct.pack_into("=HH", mailbox.data, 20, 11, 1)
    struct.pack_into("=HH", mailbox.data, 32, 20, nfqueue.NFQA_TIMESTAMP)
    struct.pack_into(">QQ", mailbox.data, 36, 12, 345)

    assert mailbox.stamp(0) == 12_000_345_000


def test_a_queue_is_asked_for_so_that_it_never_fails_open() -> None:
    bind = nfqueue.bind_message(3)

    assert struct.unpack_from("=I", bind)[0] == len(bind)
    assert nfqueue.attribute(nfqueue.NFQA_CFG_MASK, struct.pack(">I", 5)) in bind
    assert nfqueue.attribute(nfqueue.NFQA_CFG_FLAGS, struct.pack(">I", 4)) in bind


def test_requests_that_make_no_sense_are_answered_and_survived() -> None:
    loop = wireloop.Loop()

    for nonsense in (b"{", b"[]", b'{"do": "set"}', b'{"do": "set", "delays": [["x", 1]], "lead": 0}'):
        assert "error" in wired.answer(loop, nonsense)
    assert loop.running
    loop._stamps.close()
