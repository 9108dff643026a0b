"""The wire's daemon, one per lab, holds the packets of all links. ``python -m lab.emulation.wire.daemon``

It is told what to do over a socket in its folder (one JSON object per message) and survives
the command that started it. It ends when told to, or when its lab's namespace loses its name;
every packet it held is then dropped.

Nothing outside the standard library is imported, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from lab.emulation.links.jitter import Variation
from lab.emulation.wire.loop import PERIOD, QueueSpec, WireLoop
from lab.emulation.wire.nfqueue import EDGES

KERNEL_COUNTERS = "/proc/self/net/netfilter/nfnetlink_queue"
SOCKET, LOG = "wire.sock", "wire.log"
LARGEST = 4 << 20  # bytes of a message on the control socket
SO_SNDBUFFORCE = 32


class Control:
    """Takes requests (``set``, ``move``, ``status``, ``late``, ``stop``) at a socket; most get the status."""

    def __init__(self, loop: WireLoop, path: Path) -> None:
        self._loop = loop
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(8)
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        client, _ = self._socket.accept()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, LARGEST)
        self._loop.watch(client.fileno(), lambda: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        try:
            request = client.recv(LARGEST)
            if request:
                client.send(json.dumps(handle(self._loop, request)).encode())
                return
        except OSError:
            pass  # it went away without waiting for the answer
        self._loop.forget(client.fileno())
        client.close()


def handle(loop: WireLoop, request: bytes) -> dict[str, Any]:
    """Execute a request and return the status; an invalid request gets an ``error``."""
    try:
        order = json.loads(request)
        if order["do"] == "set":
            queues = [
                QueueSpec(int(number), int(delay), str(port), int(limit), Variation(variation).asked)
                for number, delay, port, limit, variation in order["queues"]
            ]
            loop.set(queues, int(order["lead"]))
        elif order["do"] == "move":
            os.sched_setaffinity(0, {int(order["cpu"])})
        elif order["do"] == "stop":
            loop.running = False
        elif order["do"] == "late":
            return {"late": late(loop)}
        return status(loop)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def status(loop: WireLoop) -> dict[str, Any]:
    """Return all that is known about every queue; times in ns, lateness as packets per class of `edges`."""
    used, kernel = resource.getrusage(resource.RUSAGE_SELF), kernel_counters()
    return {
        "pid": os.getpid(),
        "realtime": loop.realtime,
        "lead": loop.lead,
        "period": PERIOD,
        "looks": loop.looks,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "edges": EDGES,
        "queues": {
            number: {
                "delay": loop.delays[number],
                "packets": queue.packets,
                "batches": queue.batches,
                "refused": queue.refused,
                "lateness": queue.lateness,
                "latest": queue.latest,
                "late": queue.late,
                "room": queue.limit,
                "vary": queue.variation.asked if queue.variation else {},
                "chosen": queue.lost,
                **kernel.get(number, {}),
            }
            for number, queue in loop.queues.items()
        },
    }


def late(loop: WireLoop) -> dict[int, tuple[int, int, int]]:
    """Return packets let go, their lateness together (ns), and packets lost as asked, by queue.

    For those who ask every second: no packet is let go meanwhile, so this is short.
    """
    return {number: (queue.packets, queue.late, queue.lost) for number, queue in loop.queues.items()}


def kernel_counters() -> dict[int, dict[str, int]]:
    """Return the kernel's counts of every queue: packets held, dropped as it was full, lost on the way up."""
    return parse_counters(Path(KERNEL_COUNTERS).read_text())


def parse_counters(text: str) -> dict[int, dict[str, int]]:
    """Read the kernel's file about the queues of a namespace."""
    counters = {}
    for line in text.splitlines():
        number, _, held, _, _, full, lost, queued, *_ = (int(word) for word in line.split())
        counters[number] = {"held": held, "full": full, "lost": lost, "queued": queued}
    return counters


def same_namespace(name: str) -> bool:
    """Return True when a path still leads to the network namespace of this process."""
    try:
        there, here = Path(name).stat(), Path("/proc/self/ns/net").stat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def serve(folder: Path, name: str, ready: int) -> None:
    """Be the wire of the namespace whose path is `name`; report readiness on the descriptor `ready`."""
    os.setsid()
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    loop = WireLoop(lambda: same_namespace(name))
    Control(loop, folder / SOCKET)
    loop.set_realtime_priority()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.write(ready, str(os.getpid()).encode())
    os.close(ready)
    loop.run()


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
