"""Counts of all links of a lab with the wire: from the kernel, and as little as can be from the daemon.

While the daemon answers it lets no packet go. So it is asked for two numbers a link, and not more often than
for a thousandth of its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from lab.emulation.links.gauge import Discipline, Flow, Gauge
from lab.emulation.links.link import LinkState
from lab.emulation.wire import daemon
from lab.emulation.wire.ask import ask
from lab.errors import ShaperError

#: The part of the daemon's time that questions may take; it answers one in this many times that.
SHARE = 1000
#: Seconds between two questions at most: an answer may wait for a processor here, and not there.
LONGEST = 5.0


class Late(NamedTuple):
    """Counts of the daemon for a direction: packets let go, their lateness together (ns), packets lost."""

    packets: int
    late: int
    lost: int


class Held(NamedTuple):
    """Counts of the kernel for a queue of the wire; see `daemon.kernel_counters`."""

    held: int
    full: int
    lost: int
    queued: int


NONE_HELD, NONE_LATE = Held(0, 0, 0, 0), Late(0, 0, 0)


class WireGauge(Gauge):
    """Reads the links of one lab whose delay is the wire's work.

    Raises:
        ShaperError: the lab's namespace is gone, or its wire has ended.
    """

    def __init__(self, lab_namespace: str, folder: Path, pid: int) -> None:
        super().__init__(lab_namespace)
        self._folder, self._net = folder, Path(f"/proc/{pid}/net")
        self._late: Mapping[int, Late] = {}
        self._again = 0.0
        self._held: Mapping[int, Held] = {}
        self._came: Mapping[str, int] = {}

    def read(self, states: Mapping[str, LinkState]) -> dict[str, tuple[Flow, Flow]]:
        try:
            if monotonic() >= self._again:
                self._ask()
            self._held = held((self._net / "netfilter" / "nfnetlink_queue").read_text())
            if any(_by_chance(link, d) for link in states.values() for d in ("ab", "ba")):
                self._came = came((self._net / "dev").read_text())
        except OSError as error:
            raise ShaperError(
                f"the wire in {self.namespace} has ended ({error}); take the lab down"
            ) from error
        return super().read(states)

    def _ask(self) -> None:
        start = monotonic()
        answer = ask(self._folder, {"do": "late"})["late"]
        self._again = start + min(LONGEST, (monotonic() - start) * SHARE)
        self._late = {int(number): Late(*counts) for number, counts in answer.items()}

    def _counted(
        self, link: LinkState, direction: str, htb: Discipline, queue: Discipline, netem: Discipline
    ) -> Flow:
        number = link.direction_number(direction)
        kernel, late = self._held.get(number, NONE_HELD), self._late.get(number, NONE_LATE)
        unexpected = kernel.full + kernel.lost
        lost = late.lost + unexpected
        if _by_chance(link, direction):
            # what came in, less what came to the queue; ARP goes round the queue, and comes out with the rest
            out = htb.packets + queue.drops + queue.waiting
            around = out - (kernel.queued - kernel.held - late.lost)
            lost += self._came.get(link.port_in(direction), 0) - around - kernel.queued - kernel.full
        return Flow(
            htb.packets,
            htb.bytes,
            queue.waiting,
            queue.waiting_bytes,
            queue.drops,
            lost,
            unexpected,
            late.packets,
            late.late / 1e6,
        )


def _by_chance(link: LinkState, direction: str) -> bool:
    """Tell if a rule of the packet filter loses packets of a direction: the wire does not see these."""
    shape = link.shape(direction)
    return bool(shape.loss) and shape.burst is None


def held(text: str) -> dict[int, Held]:
    """Read the kernel's file about the queues of a namespace."""
    return {number: Held(**row) for number, row in daemon.parse_counters(text).items()}


def came(text: str) -> dict[str, int]:
    """Return the packets that came in at each device, from the text of ``/proc/net/dev``."""
    rows = (line.partition(":") for line in text.splitlines()[2:])
    return {name.strip(): int(numbers.split()[1]) for name, _, numbers in rows}
