"""Counts of links with the wire: those that chance loses came in, and did not come on."""

from __future__ import annotations

from pathlib import Path

from lab.emulation.links.gauge import NOTHING, Discipline
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.wire import gauge
from lab.emulation.wire.gauge import Held, Late, WireGauge

LOSSY = LinkState("A-B", 1, Shape(10.0, loss=1.0), Shape(10.0))
DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    1a: 1000000    1203    0    0    0     0          0         0  900000    1000    0    0
    1b:  900000    1000    0    0    0     0          0         0 1000000    1203    0    0
"""
KERNEL = "    2   1234    5 2 65531     3     2     1190  1\n"


def counted(link: LinkState, direction: str) -> tuple[int, int]:
    made = WireGauge.__new__(WireGauge)
    made._folder, made._net = Path("/none"), Path("/none")
    made._came, made._held = gauge.came(DEV), gauge.held(KERNEL)
    made._late = {2: Late(packets=1180, late=59_000_000, lost=0)}
    # 1190 went to the queue, 5 wait there: 1185 came on, and three packets of ARP went round
    flow = made._counted(link, direction, Discipline(0, 1186, 0, 0, 0), Discipline(0, 0, 2, 0, 0), NOTHING)
    assert (flow.late, flow.late_ms) == ((1180, 59.0) if direction == "ab" else (0, 0.0))
    return flow.lost, flow.unexpected


def test_files_of_the_kernel_are_read() -> None:
    assert gauge.came(DEV) == {"1a": 1203, "1b": 1000}
    assert gauge.held(KERNEL) == {2: Held(held=5, full=3, lost=2, queued=1190)}


def test_packets_that_chance_lost_are_counted_without_arp() -> None:
    # 1203 came; 3 were ARP, 3 found the queue full, 1190 were queued: 7 were lost by chance, 2 on the way up
    lost, unexpected = counted(LOSSY, "ab")
    assert unexpected == 5
    assert lost == 7 + unexpected


def test_a_direction_without_loss_counts_what_nobody_asked_for() -> None:
    assert counted(LOSSY, "ba") == (0, 0)
    assert counted(LinkState("A-B", 1, Shape(10.0), Shape(10.0)), "ab") == (5, 5)
