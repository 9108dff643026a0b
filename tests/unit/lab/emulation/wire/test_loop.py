"""The wire's loop: its timer, its clocks, and its end. No root."""

from __future__ import annotations

import os
import select
import time

import pytest

from lab.emulation.wire import loop


def test_a_timer_can_be_read_when_its_time_has_come_and_not_before() -> None:
    timer = loop.Timer()
    timer.set(time.monotonic_ns() + 20_000_000)

    assert select.select([timer.fd], [], [], 0)[0] == []
    assert select.select([timer.fd], [], [], 5)[0] == [timer.fd]
    timer.read()
    assert select.select([timer.fd], [], [], 0)[0] == []
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
