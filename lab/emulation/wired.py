"""The wire's process: one per lab, delays the packets of all its links. ``python -m lab.emulation.wired``

It looks after its queues every `PERIOD` while packets come, and blocks while none do: being
woken for every packet would cost most of a core. It is told what to do over a socket in its
folder (one JSON object per message) and survives the command that started it. It ends when
told to, or when its lab's namespace loses its name; every packet it held is then dropped.

Nothing outside the standard library is imported, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.emulation.nfqueue import EDGES, Mailbox, Queue

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
SO_TIMESTAMPNS = 35
KERNEL_COUNTERS = "/proc/self/net/netfilter/nfnetlink_queue"
SOCKET, LOG = "wire.sock", "wire.log"
LARGEST = 4 << 20  # bytes of a message on the control socket

_libc = ctypes.CDLL(None, use_errno=True)


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


class Wire:
    """The queues of one lab, and the loop that looks after them.

    Args:
        alive: asked about once a second; the loop ends when it says no.
    """

    def __init__(self, alive: Any = lambda: True) -> None:
        self.queues: dict[int, Queue] = {}
        self.running, self.realtime = True, False
        self.lead = 0
        self._delays: dict[int, int] = {}
        self.looks = 0
        self._alive = alive
        self._mailbox = Mailbox()
        self._by_fd: dict[int, Queue] = {}
        self._holding: set[Queue] = set()
        self._epoll = select.epoll()
        self._timer = Timer()
        self._epoll.register(self._timer.fd, select.EPOLLIN)
        self._stamps = kernel_stamps()
        self._control: socket.socket | None = None
        self._clients: dict[int, socket.socket] = {}

    def listen(self, path: Path) -> None:
        """Take requests at a socket of this name."""
        path.unlink(missing_ok=True)
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.bind(str(path))
        path.chmod(0o600)
        self._control.listen(8)
        self._control.setblocking(False)
        self._epoll.register(self._control.fileno(), select.EPOLLIN)

    def hurry(self) -> None:
        """Be woken in time: real-time priority where that is allowed, fine timers in any case."""
        _libc.prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK, 1 ns
        gc.disable()  # nothing here makes cycles; a collection would hold packets up
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
            self.realtime = True
        except PermissionError:
            self.realtime = False

    def set(self, delays: dict[int, int], lead: int) -> None:
        """Have exactly these queues, with these delays (ns); each packet leaves `lead` (ns) before its time.

        Packets that are held keep their times. The packets of a queue that is no more are dropped.
        """
        for number in set(self.queues) - set(delays):
            queue = self.queues.pop(number)
            self._epoll.unregister(queue.fileno())
            del self._by_fd[queue.fileno()]
            self._holding.discard(queue)
            queue.close()
        self.lead, self._delays = lead, delays
        for number, delay in delays.items():
            if number in self.queues:
                self.queues[number].delay = max(0, delay - lead)
            else:
                queue = Queue(number, max(0, delay - lead), self._mailbox)
                self.queues[number] = self._by_fd[queue.fileno()] = queue
                self._epoll.register(queue.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Look after the queues until told to end."""
        clock, sleep, poll = time.monotonic_ns, time.sleep, self._epoll.poll
        due, busy, latest = None, False, 0
        housekeeping = clock() + HOUSEKEEPING
        while self.running:
            if busy:
                sleep((PERIOD if due is None else min(PERIOD, max(SHORTEST, due - clock()))) / 1e9)
                events = poll(0)
            else:
                self._timer.set(0 if due is None else max(1, due - AHEAD))
                events = poll(1.0)
                while due is not None and 0 < due - clock() < AHEAD:
                    pass  # waking up takes a time that varies; what is due now leaves on time
            now, wall = both_clocks()
            busy = False
            if self._take(events, now, wall):
                busy, latest = now - latest < CLOSE, now
            due = self._release(clock())
            self.looks += 1
            if now > housekeeping:
                housekeeping = now + HOUSEKEEPING
                self.running = self.running and self._alive()

    def _take(self, events: list[tuple[int, int]], now: int, wall: int) -> bool:
        got = False
        for fd, _ in events:
            queue = self._by_fd.get(fd)
            if queue is None:
                self._attend(fd)
            elif queue.take(now, wall):
                self._holding.add(queue)
                got = True
        return got

    def _release(self, now: int) -> int | None:
        """Let go all that is due; returns when the next is."""
        first = None
        for queue in list(self._holding):
            due = queue.release(now)
            if due is None:
                self._holding.discard(queue)
            elif first is None or due < first:
                first = due
        return first

    def _attend(self, fd: int) -> None:
        """Something other than a packet: the timer, a new client, or a client's request."""
        if fd == self._timer.fd:
            with suppress(BlockingIOError):
                os.read(fd, 8)
        elif self._control is not None and fd == self._control.fileno():
            client, _ = self._control.accept()
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, 32, LARGEST)  # SO_SNDBUFFORCE
            self._clients[client.fileno()] = client
            self._epoll.register(client.fileno(), select.EPOLLIN)
        elif fd in self._clients:
            self._serve(self._clients[fd])

    def _serve(self, client: socket.socket) -> None:
        try:
            request = client.recv(LARGEST)
            if request:
                client.send(json.dumps(self._answer(request)).encode())
                return
        except OSError:
            pass
        self._epoll.unregister(client.fileno())
        del self._clients[client.fileno()]
        client.close()

    def _answer(self, request: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(request)
            if asked["do"] == "set":
                self.set({int(n): int(delay) for n, delay in asked["delays"]}, int(asked["lead"]))
            elif asked["do"] == "stop":
                self.running = False
            return self.status()
        except (OSError, ValueError, KeyError, TypeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def status(self) -> dict[str, Any]:
        """All that is known about every queue; times in ns, lateness as counts per class of `edges`."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        kernel = kernel_counters()
        return {
            "pid": os.getpid(),
            "realtime": self.realtime,
            "lead": self.lead,
            "period": PERIOD,
            "looks": self.looks,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "edges": EDGES,
            "queues": {
                number: {
                    "delay": self._delays[number],
                    "packets": queue.packets,
                    "batches": queue.batches,
                    "refused": queue.refused,
                    "lateness": queue.lateness,
                    "latest": queue.latest,
                    **kernel.get(number, {}),
                }
                for number, queue in self.queues.items()
            },
        }


def both_clocks() -> tuple[int, int]:
    """Monotonic time and time since 1970 of the same moment, ns: read again when something came between."""
    clock, tries = time.monotonic_ns, 5
    while True:
        before, wall, after = clock(), time.time_ns(), clock()
        tries -= 1
        if after - before < SAME_MOMENT or not tries:
            return after, wall  # in this order a doubt makes packets late, never early


def kernel_stamps() -> socket.socket:
    """Have the kernel note when packets arrive, for as long as the socket that is returned is open.

    So the time that this process takes to see a packet is part of its delay, not added to it,
    and shows as lateness when it is longer.
    """
    stamping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stamping.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return stamping


def kernel_counters() -> dict[int, dict[str, int]]:
    """What the kernel counts of every queue: packets held, dropped because full, and lost on the way up."""
    counters = {}
    for line in Path(KERNEL_COUNTERS).read_text().splitlines():
        number, _, held, _, _, full, lost, queued, *_ = (int(word) for word in line.split())
        counters[number] = {"held": held, "full": full, "lost": lost, "queued": queued}
    return counters


def same_namespace(name: str) -> bool:
    """Whether a path still leads to the network namespace of this process."""
    try:
        there, here = Path(name).stat(), Path("/proc/self/ns/net").stat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def serve(folder: Path, name: str, ready: int) -> None:
    """Be the wire of the namespace whose path is `name`; say so on the descriptor `ready`."""
    os.setsid()
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    wire = Wire(lambda: same_namespace(name))
    wire.listen(folder / SOCKET)
    wire.hurry()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.write(ready, str(os.getpid()).encode())
    os.close(ready)
    wire.run()


def main() -> int:
    """Start the wire, wait until it takes requests, print its process id, and leave it running."""
    folder, name = Path(sys.argv[1]), sys.argv[2]
    if not same_namespace(name):
        sys.stderr.write(f"not in the network namespace {name}\n")
        return 1
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        serve(folder, name, writer)
        return 0
    os.close(writer)
    pid = os.read(reader, 32).decode()
    sys.stdout.write(pid + "\n" if pid else "")
    sys.stderr.write("" if pid else f"it ended at once; see {folder / LOG}\n")
    return 0 if pid else 1


if __name__ == "__main__":
    sys.exit(main())
