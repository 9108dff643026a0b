"""Figures that the two studies of 2016 published, and what they measured.

ZISMER: Arne Zismer, *Performance of Docker Overlay Networks*, University of Amsterdam,
2016; mean round-trip times of the five segments of the chain AMS-PRG-BRA-LJU-MIL-AMS,
netperf UDP_RR, 20 repetitions of 120 s.

HERMANS: Siem Hermans and Patrick de Niet, *Docker overlay networks: Performance analysis
in high-latency environments*, University of Amsterdam, 2016; a full mesh of sites, one
set of virtual machines per overlay ("instance"), each measured between the machines
("vm") and between containers on the overlay ("docker"). Prague's machines did not work,
so six circuits were measured. In the star the server is at BRA.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

ZISMER = "Zismer 2016"
HERMANS = "Hermans & de Niet 2016"
#: The lab's name for the studies' control: the machines' own network, without an overlay.
CONTROL = "underlay"
#: The control and the overlays of 2016; none of them was encrypted.
STUDIED = (CONTROL, "libnetwork", "flannel", "weave")
#: Modes of these overlays that the studies did not measure, and what they had instead.
OTHER_MODES = {
    (
        "weave",
        "sleeve",
    ): "the studies' Weave used its fast datapath, which a kernel with Open vSwitch has, or --clock virtual"
}


def studied(overlay: str) -> bool:
    """Return True for an overlay, with its options, that the studies measured as well."""
    return overlay.partition(":")[0] in STUDIED and "encryption=on" not in overlay


class Segment(NamedTuple):
    """A measured round trip between two sites; all times in ms."""

    study: str
    a: str
    b: str
    rtt: float
    platform: str = "vm"
    instance: str = "underlay"
    least: float | None = None
    p99: float | None = None
    deviation: float | None = None


class PublishedThroughput(NamedTuple):
    """Throughput of a link, in Mbit/s, by iperf."""

    study: str
    a: str
    b: str
    instance: str
    platform: str
    tcp: float
    udp: float


class PublishedStreaming(NamedTuple):
    """A client site of the star: bit rates in kbit/s, jitter in ms, `workers` clients per site."""

    study: str
    server: str
    client: str
    platform: str
    workers: int
    least: float
    mean: float
    most: float
    jitter: float


Table = TypeVar("Table", Segment, PublishedThroughput, PublishedStreaming)


def _read(file: str, kind: type[Table]) -> tuple[Table, ...]:
    """Read a table beside this module: a line of names, then a row of `kind` per line."""
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()[1:]
    return tuple(kind(*map(_value, line.split(","))) for line in lines)


def _value(text: str) -> Any:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text or None


SEGMENTS = _read("segments.csv", Segment)
THROUGHPUTS = _read("throughput.csv", PublishedThroughput)
STREAMING = _read("streaming.csv", PublishedStreaming)


Row = TypeVar("Row", Segment, PublishedThroughput)


def of_circuit(rows: Sequence[Row], overlay: str, a: str, b: str) -> list[Row]:
    """Return the rows of Hermans & de Niet for a link; for the control, those between their machines."""
    own = [row for row in rows if row.study == HERMANS and {row.a, row.b} == {a, b}]
    if overlay == CONTROL:
        return [row for row in own if row.platform == "vm"]
    return [row for row in own if (row.platform, row.instance) == ("docker", overlay)]
