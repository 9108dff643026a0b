"""The wire's loop: its timer, its clocks, and its end. No root."""

from __future__ import annotations

import gc
import os
import select
import time
from collections.abc import Iterator, Sequence

import pytest

from lab.emulation.wire import loop


def test_a_timer_can_be_read_when_its_time_has_come_and_not_before() -> None:
    timer = loop.Timer()
    timer.set(time.monotonic_ns() + 20_000_000)

    assert select.select([timer.fd], [], [], 0)[0] == []
    assert select.select([timer.fd], [], [], 5)[0] == [timer.fd]
    timer.read()
    assert select.select([timer.fd], [], [], 0)[0] == []
    timer.read()
    timer.set(1)
    assert select.select([timer.fd], [], [], 5)[0] == [timer.fd], "a time that has passed is now"
    timer.set(0)
    assert select.select([timer.fd], [], [], 0.05)[0] == [], "0 is never"
    os.close(timer.fd)


def test_both_clocks_tell_one_moment() -> None:
    before = time.monotonic_ns(), time.time_ns()
    monotonic, wall = loop.both_clocks()
    after = time.monotonic_ns(), time.time_ns()

    assert before[0] <= monotonic <= after[0]
    assert before[1] <= wall <= after[1]


def test_the_loop_serves_what_is_watched_and_ends_with_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "HOUSEKEEPING", -1)
    wire = loop.WireLoop(alive=lambda: False)
    reader, writer = os.pipe()
    read: list[bytes] = []
    wire.watch(reader, lambda: read.append(os.read(reader, 1)))
    os.write(writer, b"x")

    wire.run()

    assert (read, wire.running, wire.looks) == ([b"x"], False, 1)
    wire.forget(reader)
    wire.stamps.close()
    os.close(reader)
    os.close(writer)


class Waiting:
    """A queue in place of netfilter's: `due` are the times at which it has something to let go, then None."""

    def __init__(self, number: int, delay: int, *_: object, due: Sequence[int | None] = ()) -> None:
        self.number, self.delay, self.due = number, delay, list(due)
        self.limit, self.variation = 0, None
        self.reader, self.writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def set_limit(self, limit: int) -> None:
        self.limit = limit

    def receive(self, now: int, wall: int) -> bool:
        return bool(os.read(self.reader, 1))

    def release(self, now: int) -> int | None:
        return self.due.pop(0)

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[loop.WireLoop]:
    monkeypatch.setattr(loop, "Queue", Waiting)
    made = loop.WireLoop()
    yield made
    made.set([], 0)
    made.stamps.close()


def spec(number: int, delay: int, limit: int = 100) -> loop.QueueSpec:
    return loop.QueueSpec(number, delay, "5b", limit)


def test_a_packet_leaves_before_its_time_by_what_the_way_out_takes(wire: loop.WireLoop) -> None:
    wire.set([spec(1, 5_000_000), spec(2, 30_000)], lead=40_000)
    assert [queue.delay for queue in wire.queues.values()] == [4_960_000, 0]
    assert (wire.lead, wire.delays) == (40_000, {1: 5_000_000, 2: 30_000})


def test_queues_that_are_set_anew_stay_and_others_end(wire: loop.WireLoop) -> None:
    wire.set([spec(1, 5), spec(2, 5)], lead=0)
    first, gone = wire.queues[1], wire.queues[2]
    wire.set([spec(1, 7, limit=9)], lead=0)
    assert (wire.queues, first.delay, first.limit) == ({1: first}, 7, 9)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(gone.writer)  # type: ignore[attr-defined]


def test_the_queue_whose_packet_is_due_first_says_when_to_look_again(wire: loop.WireLoop) -> None:
    wire.set([spec(n, 5) for n in (1, 2, 3)], lead=0)
    for queue, due in zip(wire.queues.values(), ([30, None], [20, 40], [None]), strict=True):
        queue.due = list(due)  # type: ignore[attr-defined]
        os.write(queue.writer, b"x")  # type: ignore[attr-defined]
    events = [(queue.fileno(), select.EPOLLIN) for queue in wire.queues.values()]
    assert wire._receive(events, 1, 1)
    assert wire._release(10) == 20
    assert wire._release(20) == 40
    assert not wire._receive([(wire._timer.fd, select.EPOLLIN)], 1, 1)


def test_a_queue_is_dropped_whole_and_one_that_is_held_up_by_nothing(wire: loop.WireLoop) -> None:
    wire.set([spec(1, 5), spec(2, 5)], lead=0)
    gone = wire.queues[2]
    wire._holding.add(gone)
    wire.set([spec(1, 5)], lead=0)
    assert (list(wire.queues), list(wire._by_fd.values()), set(wire._holding)) == (
        [1],
        [wire.queues[1]],
        set(),
    )


def test_what_varies_a_queue_is_made_anew_only_where_it_changed(wire: loop.WireLoop) -> None:
    varied = spec(1, 5)._replace(variation={"jitter": 1000, "distribution": "normal"})
    wire.set([varied], lead=0)
    first = wire.queues[1].variation
    assert first is not None
    wire.set([varied], lead=0)
    assert wire.queues[1].variation is first
    wire.set([spec(1, 5)], lead=0)
    assert wire.queues[1].variation is None


@pytest.mark.parametrize("allowed", [True, False])
def test_priority_is_told_as_it_was_given(
    wire: loop.WireLoop, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    asked = list[tuple[object, ...]]()

    def schedule(*given: object) -> None:
        asked.append(given)
        if not allowed:
            raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    monkeypatch.setattr(loop._libc, "prctl", lambda *given: asked.append(given))
    try:
        wire.set_realtime_priority()
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert (wire.realtime, asked[0]) == (allowed, (loop.PR_SET_TIMERSLACK, 1, 0, 0, 0))
    assert asked[1] == (0, os.SCHED_FIFO, os.sched_param(loop.PRIORITY))


def test_the_loop_sleeps_until_a_packet_is_due_and_ends_when_told(wire: loop.WireLoop) -> None:
    """Nothing else wakes it: the timer of the queue that is due first does."""
    wire.set([spec(1, 5)], lead=0)
    queue, released = wire.queues[1], list[int]()
    due = time.monotonic_ns() + 30_000_000

    def release(now: int) -> int | None:
        released.append(now)
        if now < due:
            return due
        wire.running = False
        return None

    queue.release = release  # type: ignore[method-assign]
    os.write(queue.writer, b"x")  # type: ignore[attr-defined]
    wire.run()
    assert due <= released[-1] < due + 5_000_000_000
    assert released[0] < due
    assert wire.looks == len(released) >= 2


def test_clocks_that_never_tell_one_moment_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAME_MOMENT", -1)
    before = time.monotonic_ns()
    assert loop.both_clocks()[0] >= before
