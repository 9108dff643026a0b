"""The delay line: when packets are let go, in which order, and how that is said to the kernel. No root."""

from __future__ import annotations

import statistics
import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.emulation.links.jitter import Variation
from lab.emulation.wire import nfqueue
from lab.emulation.wire.nfqueue import Mailbox, Queue

MS = 1_000_000


class Socket:
    """In place of a netlink socket: keeps the verdicts that were sent."""

    def __init__(self) -> None:
        self.verdicts: list[int] = []
        self.messages: list[bytes] = []
        self.broken = False

    def send(self, message: bytes) -> None:
        if self.broken:
            raise OSError("no memory")
        self.messages.append(bytes(message))
        self.verdicts.append(struct.unpack(">I", message[-4:])[0])

    def fileno(self) -> int:
        return 0

    def close(self) -> None: ...


class Singles(Mailbox):
    """So many packets, numbered on, each time it is read."""

    def __init__(self, each: int) -> None:
        self.each, self.last = each, 0

    def read(self, fd: int) -> int:
        self.last += self.each
        return self.each

    def packet(self, slot: int) -> int | None:
        return self.last - self.each + slot + 1

    def stamp(self, slot: int) -> int | None:
        return None


class Letters(Mailbox):
    """A mailbox with so many packets, numbered on, of a given age."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self.next = 1

    def read(self, fd: int) -> int:
        self.last += self.next
        return self.next

    def last_packet(self, messages: int, first: int = 0) -> tuple[int, int]:
        return messages - first, self.last - self.next + messages

    def stamp(self, slot: int) -> int | None:
        return None


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return make()


def make(delay: int = 10 * MS) -> Queue:
    line = Queue.__new__(Queue)
    line.number, line.delay, line._mailbox = 1, delay, Letters()
    line.packets = line.batches = line.refused = line.latest = line.late = 0
    line.lateness = [0] * (len(nfqueue.EDGES) + 1)
    line._held, line._verdict = nfqueue.deque(), nfqueue.verdict_message(1)
    line._socket = Socket()  # type: ignore[assignment]
    line.waiting, line.variation, line.lost, line.limit = lambda: False, None, 0, nfqueue.HELD_PACKETS
    return line


def release(line: Queue, now: int) -> int | None:
    """Let go what is due at `now`, in no time."""
    line.clock = lambda: now  # type: ignore[misc]
    return line.release(now)


def verdicts(line: Queue) -> list[int]:
    return line._socket.verdicts  # type: ignore[attr-defined, no-any-return]


def test_packets_leave_when_they_are_due_and_not_before(queue: Queue) -> None:
    queue.receive(0, 0)
    queue.receive(5 * MS, 0)

    assert release(queue, 9 * MS) == 10 * MS
    assert verdicts(queue) == []
    assert release(queue, 10 * MS) == 15 * MS
    assert verdicts(queue) == [1]
    assert release(queue, 16 * MS) is None
    assert verdicts(queue) == [1, 2]


def test_all_that_is_due_leaves_with_one_message(queue: Queue) -> None:
    for at in range(5):
        queue.receive(at, 0)

    release(queue, 11 * MS)

    assert verdicts(queue) == [5]
    assert sum(queue.lateness) == 5
    assert queue.latest == 1 * MS
    assert queue.late == pytest.approx(5 * MS, abs=50)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(0, 40 * MS)), max_size=30))
def test_changed_delays_never_make_packets_overtake_or_leave_early(steps: list[tuple[int, int]]) -> None:
    line, now, asked = make(0), 0, []
    for later, delay in steps:
        now += later
        line.delay = delay
        line.receive(now, 0)
        asked.append(now + delay)

    deadlines = [deadline for deadline, _, _ in line._held]

    assert deadlines == sorted(deadlines)
    assert all(deadline >= least for deadline, least in zip(deadlines, asked, strict=True))


def test_a_verdict_that_could_not_be_sent_is_sent_again(queue: Queue) -> None:
    socket: Any = queue._socket
    queue.receive(0, 0)
    socket.broken = True
    assert release(queue, 10 * MS) == 10 * MS
    socket.broken = False

    release(queue, 12 * MS)

    assert verdicts(queue) == [1]
    assert queue.refused == 1


def test_a_packets_own_time_of_arrival_counts(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue._mailbox, "stamp", lambda slot: 1_000_000_000)

    queue.receive(100 * MS, 1_000_000_000 + 4 * MS)

    assert queue._held[0][0] == 100 * MS - 4 * MS + 10 * MS


@pytest.mark.parametrize(("wall", "age"), [(0, 0), (10**18, nfqueue.OLDEST)])
def test_a_clock_that_was_set_does_no_harm(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, wall: int, age: int
) -> None:
    monkeypatch.setattr(queue._mailbox, "stamp", lambda slot: 10**12)

    queue.receive(100 * MS, wall)

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


def test_a_burst_leaves_by_its_packets_own_times_and_in_turns(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters: Any = queue._mailbox
    letters.next = 320  # 10 µs apart, the last one now
    monkeypatch.setattr(letters, "stamp", lambda slot: 10 * MS - (319 - slot) * 10_000)

    assert queue.receive(10 * MS, 10 * MS) == 320

    deadlines = [deadline for deadline, _, _ in queue._held]
    assert len(deadlines) == 10
    assert deadlines[0] == 20 * MS - 3_190_000 + 155_000
    assert deadlines[-1] == 20 * MS - 155_000
    assert release(queue, 30 * MS) == deadlines[2], "more than a turn was let go at once"
    assert verdicts(queue) == [64]
    while release(queue, 30 * MS):
        pass
    assert verdicts(queue) == [64, 128, 192, 256, 320]
    assert sum(queue.lateness) == 320


def test_what_would_wait_for_the_rate_anyway_is_not_late(queue: Queue) -> None:
    queue.receive(0, 0)
    release(queue, 15 * MS)
    assert queue.latest == 5 * MS
    queue.receive(20 * MS, 0)
    queue.waiting = lambda: True
    release(queue, 60 * MS)

    assert queue.latest == 5 * MS
    assert (queue.lateness[0], sum(queue.lateness)) == (1, 2)


def test_nobody_is_asked_about_packets_that_are_on_time(queue: Queue) -> None:
    asked: list[bool] = []
    queue.waiting = lambda: bool(asked.append(True))  # type: ignore[func-returns-value]
    queue.receive(0, 0)

    release(queue, 10 * MS + nfqueue.SLACK)

    assert asked == []


@pytest.mark.parametrize("distribution", ["normal", "uniform", "pareto"])
def test_jitter_spreads_packets_that_are_apart_and_lets_none_overtake(
    queue: Queue, distribution: str
) -> None:
    queue._mailbox = Singles(1)
    queue.variation = Variation({"jitter": 2 * MS, "distribution": distribution}, Random(4))
    for at in range(0, 2000 * MS, 20 * MS):
        queue.receive(at, 0)

    deadlines = [deadline - 20 * MS * n for n, (deadline, _, _) in enumerate(queue._held)]
    assert statistics.mean(deadlines) == pytest.approx(10 * MS, abs=0.6 * MS)
    assert statistics.stdev(deadlines) == pytest.approx(2 * MS, rel=0.35)
    for _ in range(100):
        queue.receive(2000 * MS, 0)
    late = [deadline for deadline, _, _ in queue._held]
    assert late == sorted(late)


def test_packets_that_go_ahead_leave_at_once_and_alone(queue: Queue) -> None:
    queue._mailbox = Singles(10)
    queue.variation = Variation({"reorder": 0.3}, Random(1))
    queue.receive(0, 0)

    ahead = verdicts(queue)
    assert 0 < len(ahead) < 10
    assert {last for _, last, _ in queue._held} == set(range(1, 11)) - set(ahead)
    assert single(queue) == {(nfqueue.NFQNL_MSG_VERDICT, nfqueue.NF_ACCEPT)}


def test_packets_lost_in_bursts_are_dropped_one_by_one_and_counted(queue: Queue) -> None:
    queue._mailbox = Singles(100)
    queue.variation = Variation({"begins": 0.1, "ends": 0.5}, Random(1))
    queue.receive(0, 0)

    assert queue.lost == len(verdicts(queue)) > 3
    assert len(queue._held) + queue.lost == queue.packets == 100
    assert single(queue) == {(nfqueue.NFQNL_MSG_VERDICT, nfqueue.NF_DROP)}


def test_a_packet_whose_loss_could_not_be_said_is_held_like_others(queue: Queue) -> None:
    queue._mailbox = Singles(5)
    queue.variation = Variation({"begins": 1.0, "ends": 1e-9}, Random(1))
    socket: Any = queue._socket
    socket.broken = True
    queue.receive(0, 0)

    assert len(queue._held) == 5
    assert queue.lost == 0


def single(queue: Queue) -> set[tuple[int, int]]:
    """Kind and verdict of all messages that were sent."""
    sent = queue._socket.messages  # type: ignore[attr-defined]
    return {(message[4], struct.unpack_from(">I", message, 24)[0]) for message in sent}


def test_a_queue_is_asked_for_so_that_it_never_fails_open() -> None:
    bind = nfqueue.bind_message(3)

    assert struct.unpack_from("=I", bind)[0] == len(bind)
    assert nfqueue.attribute(nfqueue.NFQA_CFG_MASK, struct.pack(">I", 5)) in bind
    assert nfqueue.attribute(nfqueue.NFQA_CFG_FLAGS, struct.pack(">I", 4)) in bind
