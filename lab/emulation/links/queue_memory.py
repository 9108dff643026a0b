"""The memory that links may take: packets under way, and packets that wait for a rate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.errors import ShaperError

MEMINFO = Path("/proc/meminfo")
#: Share of the memory that is free which full links may take: hosts need some as well.
SHARE = 0.5


def available() -> int:
    """Return the bytes of memory that are available without swapping."""
    rows = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) << 10


def needed(link: LinkState) -> int:
    """Return the bytes that a link takes when it is full in both directions."""
    return sum(link.shape(direction).memory for direction in DIRECTIONS)


def check(links: Iterable[LinkState], free: int | None = None) -> None:
    """Check that full links fit into memory.

    Raises:
        ShaperError: names the link that takes most, what it and all of them need, and what there is.
    """
    by_need = sorted(((needed(link), link.name) for link in links), reverse=True)
    total, free = sum(need for need, _ in by_need), available() if free is None else free
    if total > SHARE * free:
        most, name = by_need[0]
        raise ShaperError(
            f"{name}: its packets under way and in its queues need {_size(most)} of memory when it is full"
            f"{f', all links {_size(total)}' if most != total else ''}; half of the {_size(free)} that are "
            f"free are available: give a smaller delay, rate or queue"
        )


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
