"""Estimate of the wall time of a run in virtual time, from what its cells send: said before a long one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.runs.experiment import Cell

#: Seconds of wall time per virtual second on one processor of 2026, per Gbit/s: TCP, whose packets the
#: kernel takes in large pieces, and datagrams, which go one by one (benchmarks/virtual.py, two hops).
TCP, DATAGRAMS = 0.4, 16.0
#: How much longer it takes where a daemon carries every packet.
USER_SPACE = 30.0
#: A virtual second in which hardly anything is sent; and a bring-up with its calibration (s of wall time).
QUIET, BRING_UP = 0.1, 20.0
#: A run of more than a day (s) is said before.
DAY = 86_400.0


def wall(cells: Iterable[Cell], rate: float, user_space: bool) -> float:
    """Return the wall time (s) of one bring-up of an overlay, on links of `rate` (Mbit/s)."""
    total = BRING_UP
    for cell in cells:
        per_gbit = DATAGRAMS if cell.metric.startswith("udp") else {"tcp": TCP}.get(cell.metric, 0.0)
        busy = per_gbit * rate / 1000 * (USER_SPACE if user_space and per_gbit == TCP else 1.0)
        total += cell.repetitions * cell.duration * (QUIET + busy)
    return total


def warning(seconds: float, boxes: int) -> str:
    """Return a sentence for a run of more than a day on so many boxes side by side; "" for a shorter one."""
    if seconds / boxes <= DAY:
        return ""
    return (
        f"this run takes about {seconds / boxes / DAY:.1f} days here, estimated from its "
        "traffic; a lower --rate, fewer --repetitions or a shorter --duration make it shorter"
    )
