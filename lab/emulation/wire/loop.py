"""The wire's loop over the queues of one lab: when to look, when to wait, when to let go.

It looks every `PERIOD` while packets come, and blocks while none do: being woken for every
packet would cost most of a core.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from lab.emulation.links.jitter import Variation
from lab.emulation.links.timestamps import enable as enable_timestamps
from lab.emulation.wire.nfqueue import HELD_PACKETS, Mailbox, Queue
from lab.emulation.wire.qdisc_backlog import QdiscBacklog

#: ns between two looks while packets come. Shorter costs more CPU, longer makes delays coarser.
PERIOD = 150_000
#: ns that the process sleeps at least while packets come, however soon the next one is due.
SHORTEST = PERIOD // 3
#: ns between two arrivals that make the process stop waiting for single packets.
CLOSE = 4 * PERIOD
#: ns before a lonely packet is due at which the process wakes, to spend the rest of them awake.
AHEAD = 100_000
#: ns within which two clocks are read.
SAME_MOMENT = 10_000
#: ns between two looks at whether the lab's namespace still has its name.
HOUSEKEEPING = 1_000_000_000
PRIORITY = 10
PR_SET_TIMERSLACK = 29

_libc = ctypes.CDLL(None, use_errno=True)


class QueueSpec(NamedTuple):
    """A queue that is asked for: number, delay (ns), the port at which its packets leave, the packets
    that it can hold, and what chance does to them (see `lab.emulation.links.jitter`)."""

    number: int
    delay: int
    port: str
    limit: int = HELD_PACKETS
    variation: Mapping[str, Any] = {}


class Timer:
    """A file descriptor that gets readable at a point in time; `epoll` by itself rounds up to 1 ms."""

    def __init__(self) -> None:
        nonblocking = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = int(_libc.timerfd_create(time.CLOCK_MONOTONIC, nonblocking))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, at: int) -> None:
        """Be readable at `at` (ns, monotonic clock); 0 is never."""
        value = struct.pack("=qqqq", 0, 0, at // 1_000_000_000, at % 1_000_000_000)
        _libc.timerfd_settime(self.fd, 1, value, None)

    def read(self) -> None:
        """Be no longer readable."""
        with suppress(BlockingIOError):
            os.read(self.fd, 8)


class WireLoop:
    """The queues of one lab.

    Args:
        alive: asked about once a second; the loop ends when it says no.
    """

    def __init__(self, alive: Callable[[], bool] = lambda: True) -> None:
        self.queues: dict[int, Queue] = {}
        self.delays: dict[int, int] = {}
        self.lead = self.looks = 0
        self.running, self.realtime = True, False
        self._alive = alive
        self._mailbox, self._backlog = Mailbox(), QdiscBacklog()
        self._by_fd: dict[int, Queue] = {}
        self._holding: set[Queue] = set()
        self._epoll = select.epoll()
        self._timer = Timer()
        self._others: dict[int, Callable[[], None]] = {}
        self.watch(self._timer.fd, self._timer.read)
        # While this socket is open the kernel notes when packets arrive. So the time that this process takes
        # to see a packet is part of its delay, not added to it, and shows as lateness when it is longer.
        self.stamps = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        enable_timestamps(self.stamps)

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Have a function called whenever a descriptor can be read."""
        self._others[fd] = ready
        self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        """Watch a descriptor no longer."""
        self._epoll.unregister(fd)
        del self._others[fd]

    def set_realtime_priority(self) -> None:
        """Be woken in time: real-time priority where that is allowed, fine timers in any case."""
        _libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)  # 1 ns
        gc.disable()  # nothing here makes cycles; a collection would hold packets up
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
            self.realtime = True
        except PermissionError:
            self.realtime = False

    def set(self, specs: Iterable[QueueSpec], lead: int) -> None:
        """Have exactly these queues; each packet leaves `lead` (ns) before its time.

        Packets that are held keep their times. The packets of a queue that is no more are dropped.
        """
        wanted = {spec.number: spec for spec in specs}
        for number in set(self.queues) - set(wanted):
            queue = self.queues.pop(number)
            self._epoll.unregister(queue.fileno())
            del self._by_fd[queue.fileno()]
            self._holding.discard(queue)
            queue.close()
        self.lead, self.delays = lead, {number: spec.delay for number, spec in wanted.items()}
        for spec in wanted.values():
            self._set_queue(spec, max(0, spec.delay - lead))

    def _set_queue(self, spec: QueueSpec, delay: int) -> None:
        """Make a queue, or set it again."""
        number = spec.number
        if number not in self.queues:
            waiting = partial(self._backlog.waiting, spec.port, number)
            queue = Queue(number, delay, self._mailbox, waiting)
            self.queues[number] = self._by_fd[queue.fileno()] = queue
            self._epoll.register(queue.fileno(), select.EPOLLIN)
        queue = self.queues[number]
        queue.delay = delay
        queue.set_limit(spec.limit)
        if spec.variation != (queue.variation.asked if queue.variation else {}):
            queue.variation = Variation(spec.variation) if spec.variation else None

    def run(self) -> None:
        """Look after the queues until told to end."""
        clock, sleep, poll = time.monotonic_ns, time.sleep, self._epoll.poll
        due, busy, latest = None, False, 0
        housekeeping = clock() + HOUSEKEEPING
        while self.running:
            if due is not None and due <= clock():
                events = poll(0)  # more is due than could be let go in one turn
            elif busy:
                sleep((PERIOD if due is None else min(PERIOD, max(SHORTEST, due - clock()))) / 1e9)
                events = poll(0)
            else:
                self._timer.set(0 if due is None else max(1, due - AHEAD))
                events = poll(1.0)
                while due is not None and 0 < due - clock() < AHEAD:
                    pass  # waking up takes a time that varies; what is due now leaves on time
            now, wall = both_clocks()
            busy = False
            if self._receive(events, now, wall):
                busy, latest = now - latest < CLOSE, now
            due = self._release(clock())
            self.looks += 1
            if now > housekeeping:
                housekeeping = now + HOUSEKEEPING
                self.running = self.running and self._alive()

    def _receive(self, events: list[tuple[int, int]], now: int, wall: int) -> bool:
        """Take what came; return True when packets were among it."""
        got = False
        for fd, _ in events:
            if queue := self._by_fd.get(fd):
                if queue.receive(now, wall):
                    self._holding.add(queue)
                    got = True
            elif ready := self._others.get(fd):
                ready()
        return got

    def _release(self, now: int) -> int | None:
        """Let go all that is due; return when the next is."""
        first = None
        for queue in list(self._holding):
            due = queue.release(now)
            if due is None:
                self._holding.discard(queue)
            elif first is None or due < first:
                first = due
        return first


def both_clocks() -> tuple[int, int]:
    """Return one moment (ns), monotonic and since 1970; read again when something came between."""
    clock, tries = time.monotonic_ns, 5
    while True:
        before, wall, after = clock(), time.time_ns(), clock()
        tries -= 1
        if after - before < SAME_MOMENT or not tries:
            return after, wall  # in this order a doubt makes packets late, never early
