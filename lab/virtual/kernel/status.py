"""A running kernel's answer to the question what it is doing: how a loop without end is found and named.

While a program computes, the kernel waits for it and virtual time stands still. A program that computes
for ever without a system call would hold its box for ever, and nothing inside the box could say so. So the
question comes from outside, as a signal to the kernel's process, and the answer is a line on its console.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

#: Virtual seconds per second of wall time that are no more than clock reads of a loop: it makes some 2e-5,
#: and the slowest traffic that was measured 1e-2.
HARDLY = 5e-5
_LINE = re.compile(r"lab_time: (\d+) ns, process (\d+) \((.*)\) on (\S+)")


@dataclass(frozen=True)
class Status:
    """The kernel's virtual time (ns since it was booted), and the process that runs: 0 while all wait."""

    now: int
    pid: int
    name: str
    host: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid}) on {self.host}" if self.pid else "nothing"


def ask(kernel: int) -> None:
    """Have the kernel whose process this pidfd is of print a line that `parse` reads.

    It takes the question from its first init calls on; earlier, the signal would end it. So ask only a
    kernel whose process 1 has been heard.

    Raises:
        ProcessLookupError: it has ended.
    """
    signal.pidfd_send_signal(kernel, signal.SIGUSR2)


def parse(printed: str) -> Status | None:
    """Return what a line of the console says, also one that begins with other output; None for others."""
    if not (found := _LINE.search(printed)):
        return None
    return Status(int(found[1]), int(found[2]), found[3], found[4])


class Standstill:
    """Computes how long virtual time hardly moved, from a kernel's answers and their moments."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._since = 0.0

    def observe(self, status: Status, wall: float) -> float:
        """Add an answer that came at `wall` (s, any clock); returns how long (s) time has hardly moved.

        Another process that runs begins anew: starting many programs takes no virtual time, and is no
        standstill. A loop that reads the clock moves it a little, by less than `HARDLY`.
        """
        before = self._status
        passed = wall - self._since
        if before is None or self._other(before, status) or status.now - before.now > HARDLY * passed * 1e9:
            self._status, self._since = status, wall
        return wall - self._since

    @staticmethod
    def _other(before: Status, status: Status) -> bool:
        return (before.pid, before.name, before.host) != (status.pid, status.name, status.host)
