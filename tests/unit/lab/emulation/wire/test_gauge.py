"""Counts of links with the wire: those that chance loses came in, and did not come on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links.gauge import NOTHING, Discipline
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.wire import gauge
from lab.emulation.wire.gauge import Held, Late, WireGauge
from lab.errors import ShaperError

LOSSY = LinkState("A-B", 1, Shape(10.0, loss=1.0), Shape(10.0))
DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    1a: 1000000    1203    0    0    0     0          0         0  900000    1000    0    0
    1b:  900000    1000    0    0    0     0          0         0 1000000    1203    0    0
"""
KERNEL = "    2   1234    5 2 65531     3     2     1190  1\n"


def counted(link: LinkState, direction: str) -> tuple[int, int]:
    made = WireGauge.__new__(WireGauge)
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


class Wire:
    """The daemon and the kernel of a lab, which say what a test says; a question takes `seconds`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.001) -> None:
        self.asked, self.now, self.seconds = list[tuple[Path, Mapping[str, Any]]](), 1000.0, seconds
        self.queues = folder / "netfilter" / "nfnetlink_queue"
        self.queues.parent.mkdir()
        self.queues.write_text(KERNEL)
        (folder / "dev").write_text(DEV)
        monkeypatch.setattr(gauge.Gauge, "__init__", lambda made, namespace: None)
        monkeypatch.setattr(gauge.Gauge, "read", lambda made, states: {})
        monkeypatch.setattr(gauge, "ask", self.ask)
        monkeypatch.setattr(gauge, "monotonic", lambda: self.now)
        self.gauge = WireGauge("lab-x", Path("/lab"), 7)
        assert self.gauge._net == Path("/proc/7/net")
        self.gauge._net, self.gauge.namespace = folder, "/run/netns/lab-x"

    def ask(self, folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((folder, request))
        self.now += self.seconds
        return {"late": {"2": [1180, 59_000_000, 4]}}


def test_the_daemon_is_asked_no_more_often_than_for_a_thousandth_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(tmp_path, monkeypatch)
    for _ in range(2):
        wire.gauge.read({"A-B": LOSSY})
    assert wire.asked == [(Path("/lab"), {"do": "late"})]
    assert wire.gauge._late == {2: Late(1180, 59_000_000, 4)}
    wire.now = 1000.0 + 0.001 * gauge.SHARE - 0.0001
    wire.gauge.read({"A-B": LOSSY})
    assert len(wire.asked) == 1
    wire.now = 1000.0 + 0.001 * gauge.SHARE + 0.0001
    wire.gauge.read({"A-B": LOSSY})
    assert len(wire.asked) == 2


def test_a_slow_answer_is_waited_for_five_seconds_later_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(tmp_path, monkeypatch, seconds=1.0)
    wire.gauge.read({})
    wire.now = 1000.0 + gauge.LONGEST + 0.1
    wire.gauge.read({})
    assert len(wire.asked) == 2


def test_what_came_in_is_read_only_where_chance_loses_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(tmp_path, monkeypatch)
    bursty = LinkState("A-B", 1, Shape(10.0, loss=1.0, burst=4.0), Shape(10.0))
    wire.gauge.read({"A-B": bursty})
    assert (wire.gauge._came, wire.gauge._held) == ({}, gauge.held(KERNEL))
    other_way = LinkState("A-B", 1, Shape(10.0), Shape(10.0, loss=1.0))
    for lossy in (LOSSY, other_way):
        wire.gauge._came = {}
        wire.gauge.read({"A-B": lossy})
        assert wire.gauge._came == gauge.came(DEV)


def test_a_wire_that_has_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(tmp_path, monkeypatch)
    wire.queues.unlink()
    with pytest.raises(ShaperError, match=r"the wire in /run/netns/lab-x has ended \(.*; take the lab down"):
        wire.gauge.read({})


def test_packets_that_the_daemon_dropped_or_that_wait_are_not_lost_by_chance() -> None:
    made = WireGauge.__new__(WireGauge)
    made._came, made._held, made._late = {"1a": 100}, {2: Held(10, 1, 2, 90)}, {2: Late(70, 0, 3)}
    # of 90 in the queue 10 wait there and 3 were dropped by the daemon; 77 came on, and 4 of ARP with them
    flow = made._counted(LOSSY, "ab", Discipline(7, 60, 0, 0, 0), Discipline(0, 0, 5, 16, 900), NOTHING)
    assert flow == (60, 7, 16, 900, 5, 3 + 3 + (100 - 4 - 90 - 1), 3, 70, 0.0)


def test_a_direction_of_which_nothing_is_known_lost_nothing() -> None:
    made = WireGauge.__new__(WireGauge)
    made._came, made._held, made._late = {"1a": 10}, {}, {}
    flow = made._counted(LOSSY, "ab", Discipline(0, 10, 0, 0, 0), NOTHING, NOTHING)
    assert flow == (10, 0, 0, 0, 0, 0, 0, 0, 0.0)
    made._came = {}
    assert made._counted(LOSSY, "ab", NOTHING, NOTHING, NOTHING) == (0, 0, 0, 0, 0, 0, 0, 0, 0.0)
