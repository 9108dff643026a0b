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
from typing import NamedTuple, TypeVar

ZISMER = "Zismer 2016"
HERMANS = "Hermans & de Niet 2016"
#: The lab's name for the studies' control: the machines' own network, without an overlay.
CONTROL = "underlay"
#: The control and the overlays of 2016; none of them was encrypted.
STUDIED = (CONTROL, "libnetwork", "flannel", "weave")
#: Modes of these overlays that the studies did not measure, and what they had instead.
OTHER_MODES = {("weave", "sleeve"): "the studies' Weave used its fast datapath"}


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
    """Throughput of a circuit, in Mbit/s, by iperf."""

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


SEGMENTS: tuple[Segment, ...] = (
    Segment(ZISMER, "AMS", "PRG", 21.75),
    Segment(ZISMER, "PRG", "BRA", 4.7),
    Segment(ZISMER, "BRA", "LJU", 41.58),
    Segment(ZISMER, "LJU", "MIL", 52.57),
    Segment(ZISMER, "MIL", "AMS", 40.63),
    Segment(HERMANS, "AMS", "MIL", 36.5, "vm", "libnetwork", 36.3, 37.0, 0.1),
    Segment(HERMANS, "AMS", "MIL", 36.5, "docker", "libnetwork", 36.3, 37.0, 0.1),
    Segment(HERMANS, "AMS", "LJU", 30.3, "vm", "libnetwork", 30.1, 31.0, 0.1),
    Segment(HERMANS, "AMS", "LJU", 30.3, "docker", "libnetwork", 30.1, 31.0, 0.1),
    Segment(HERMANS, "AMS", "BRA", 17.7, "vm", "libnetwork", 17.5, 18.0, 0.1),
    Segment(HERMANS, "AMS", "BRA", 17.7, "docker", "libnetwork", 17.6, 18.0, 0.0),
    Segment(HERMANS, "MIL", "LJU", 62.1, "vm", "libnetwork", 61.6, 62.4, 0.1),
    Segment(HERMANS, "MIL", "LJU", 62.1, "docker", "libnetwork", 61.8, 62.4, 0.1),
    Segment(HERMANS, "MIL", "BRA", 13.0, "vm", "libnetwork", 12.7, 14.0, 0.1),
    Segment(HERMANS, "MIL", "BRA", 13.1, "docker", "libnetwork", 12.7, 14.0, 0.0),
    Segment(HERMANS, "BRA", "LJU", 47.4, "vm", "libnetwork", 47.1, 48.0, 0.0),
    Segment(HERMANS, "BRA", "LJU", 47.4, "docker", "libnetwork", 47.2, 48.0, 0.0),
    Segment(HERMANS, "AMS", "MIL", 36.4, "vm", "weave", 36.1, 37.0, 0.0),
    Segment(HERMANS, "AMS", "MIL", 36.5, "docker", "weave", 36.2, 37.0, 0.0),
    Segment(HERMANS, "AMS", "LJU", 30.2, "vm", "weave", 29.9, 31.0, 0.0),
    Segment(HERMANS, "AMS", "LJU", 30.3, "docker", "weave", 29.8, 31.0, 0.0),
    Segment(HERMANS, "AMS", "BRA", 17.7, "vm", "weave", 17.4, 18.0, 0.1),
    Segment(HERMANS, "AMS", "BRA", 17.7, "docker", "weave", 17.4, 18.0, 0.1),
    Segment(HERMANS, "MIL", "LJU", 59.8, "vm", "weave", 59.6, 60.0, 0.1),
    Segment(HERMANS, "MIL", "LJU", 59.8, "docker", "weave", 59.6, 60.0, 0.1),
    Segment(HERMANS, "MIL", "BRA", 13.0, "vm", "weave", 12.8, 14.0, 0.1),
    Segment(HERMANS, "MIL", "BRA", 13.1, "docker", "weave", 12.9, 14.0, 0.1),
    Segment(HERMANS, "BRA", "LJU", 43.3, "vm", "weave", 43.0, 44.0, 0.1),
    Segment(HERMANS, "BRA", "LJU", 59.5, "docker", "weave", 43.1, 130.0, 0.1),
    Segment(HERMANS, "AMS", "MIL", 42.8, "vm", "flannel", 42.4, 43.0, 0.0),
    Segment(HERMANS, "AMS", "MIL", 42.9, "docker", "flannel", 42.5, 43.0, 0.0),
    Segment(HERMANS, "AMS", "LJU", 30.2, "vm", "flannel", 29.8, 31.0, 0.0),
    Segment(HERMANS, "AMS", "LJU", 30.3, "docker", "flannel", 29.8, 31.0, 0.0),
    Segment(HERMANS, "AMS", "BRA", 17.7, "vm", "flannel", 17.3, 18.0, 0.0),
    Segment(HERMANS, "AMS", "BRA", 17.7, "docker", "flannel", 17.4, 18.0, 0.0),
    Segment(HERMANS, "MIL", "LJU", 55.8, "vm", "flannel", 55.5, 56.0, 0.0),
    Segment(HERMANS, "MIL", "LJU", 55.8, "docker", "flannel", 55.6, 56.0, 0.0),
    Segment(HERMANS, "MIL", "BRA", 13.0, "vm", "flannel", 12.8, 14.0, 0.0),
    Segment(HERMANS, "MIL", "BRA", 13.1, "docker", "flannel", 12.9, 14.0, 0.0),
    Segment(HERMANS, "BRA", "LJU", 43.4, "vm", "flannel", 43.1, 44.0, 0.0),
    Segment(HERMANS, "BRA", "LJU", 43.4, "docker", "flannel", 43.1, 44.0, 0.0),
)

THROUGHPUTS: tuple[PublishedThroughput, ...] = (
    PublishedThroughput(HERMANS, "AMS", "MIL", "libnetwork", "vm", 150.7, 231.6),
    PublishedThroughput(HERMANS, "AMS", "MIL", "libnetwork", "docker", 213.2, 110.6),
    PublishedThroughput(HERMANS, "AMS", "LJU", "libnetwork", "vm", 152.5, 223.3),
    PublishedThroughput(HERMANS, "AMS", "LJU", "libnetwork", "docker", 165.3, 110.0),
    PublishedThroughput(HERMANS, "AMS", "BRA", "libnetwork", "vm", 148.9, 225.5),
    PublishedThroughput(HERMANS, "AMS", "BRA", "libnetwork", "docker", 207.1, 109.9),
    PublishedThroughput(HERMANS, "MIL", "LJU", "libnetwork", "vm", 127.4, 238.4),
    PublishedThroughput(HERMANS, "MIL", "LJU", "libnetwork", "docker", 128.3, 130.1),
    PublishedThroughput(HERMANS, "MIL", "BRA", "libnetwork", "vm", 181.2, 254.5),
    PublishedThroughput(HERMANS, "MIL", "BRA", "libnetwork", "docker", 167.0, 129.2),
    PublishedThroughput(HERMANS, "BRA", "LJU", "libnetwork", "vm", 158.8, 226.7),
    PublishedThroughput(HERMANS, "BRA", "LJU", "libnetwork", "docker", 133.7, 111.8),
    PublishedThroughput(HERMANS, "AMS", "MIL", "weave", "vm", 179.0, 272.8),
    PublishedThroughput(HERMANS, "AMS", "MIL", "weave", "docker", 243.0, 130.5),
    PublishedThroughput(HERMANS, "AMS", "LJU", "weave", "vm", 189.2, 249.9),
    PublishedThroughput(HERMANS, "AMS", "LJU", "weave", "docker", 201.6, 129.3),
    PublishedThroughput(HERMANS, "AMS", "BRA", "weave", "vm", 188.5, 255.4),
    PublishedThroughput(HERMANS, "AMS", "BRA", "weave", "docker", 209.8, 128.9),
    PublishedThroughput(HERMANS, "MIL", "LJU", "weave", "vm", 131.7, 255.3),
    PublishedThroughput(HERMANS, "MIL", "LJU", "weave", "docker", 161.5, 128.5),
    PublishedThroughput(HERMANS, "MIL", "BRA", "weave", "vm", 188.5, 261.0),
    PublishedThroughput(HERMANS, "MIL", "BRA", "weave", "docker", 217.9, 130.4),
    PublishedThroughput(HERMANS, "BRA", "LJU", "weave", "vm", 149.9, 229.0),
    PublishedThroughput(HERMANS, "BRA", "LJU", "weave", "docker", 43.9, 17.2),
    PublishedThroughput(HERMANS, "AMS", "MIL", "flannel", "vm", 177.1, 271.9),
    PublishedThroughput(HERMANS, "AMS", "MIL", "flannel", "docker", 187.5, 126.9),
    PublishedThroughput(HERMANS, "AMS", "LJU", "flannel", "vm", 180.2, 268.1),
    PublishedThroughput(HERMANS, "AMS", "LJU", "flannel", "docker", 225.6, 128.3),
    PublishedThroughput(HERMANS, "AMS", "BRA", "flannel", "vm", 187.2, 267.0),
    PublishedThroughput(HERMANS, "AMS", "BRA", "flannel", "docker", 169.8, 127.8),
    PublishedThroughput(HERMANS, "MIL", "LJU", "flannel", "vm", 142.2, 278.8),
    PublishedThroughput(HERMANS, "MIL", "LJU", "flannel", "docker", 210.7, 131.9),
    PublishedThroughput(HERMANS, "MIL", "BRA", "flannel", "vm", 194.2, 254.0),
    PublishedThroughput(HERMANS, "MIL", "BRA", "flannel", "docker", 211.3, 130.6),
    PublishedThroughput(HERMANS, "BRA", "LJU", "flannel", "vm", 151.7, 243.2),
    PublishedThroughput(HERMANS, "BRA", "LJU", "flannel", "docker", 214.6, 110.0),
)

STREAMING: tuple[PublishedStreaming, ...] = (
    PublishedStreaming(HERMANS, "BRA", "AMS", "vm", 1, 112.09, 957.59, 1853.68, 0.08),
    PublishedStreaming(HERMANS, "BRA", "AMS", "vm", 3, 69.59, 681.23, 1429.48, 0.45),
    PublishedStreaming(HERMANS, "BRA", "AMS", "vm", 9, 41.18, 272.17, 944.11, 2.1),
    PublishedStreaming(HERMANS, "BRA", "MIL", "vm", 1, 111.19, 955.46, 1854.89, 0.09),
    PublishedStreaming(HERMANS, "BRA", "MIL", "vm", 3, 69.13, 671.21, 1426.39, 0.55),
    PublishedStreaming(HERMANS, "BRA", "MIL", "vm", 9, 39.4, 273.45, 932.24, 2.0),
    PublishedStreaming(HERMANS, "BRA", "LJU", "vm", 1, 111.33, 948.15, 1851.54, 0.09),
    PublishedStreaming(HERMANS, "BRA", "LJU", "vm", 3, 68.99, 670.25, 1421.54, 0.49),
    PublishedStreaming(HERMANS, "BRA", "LJU", "vm", 9, 40.49, 268.25, 919.55, 1.92),
    PublishedStreaming(HERMANS, "BRA", "AMS", "weave", 1, 113.2, 958.7, 1851.37, 0.1),
    PublishedStreaming(HERMANS, "BRA", "AMS", "weave", 3, 68.93, 654.39, 1422.14, 0.47),
    PublishedStreaming(HERMANS, "BRA", "AMS", "weave", 9, 40.17, 270.41, 941.41, 2.14),
    PublishedStreaming(HERMANS, "BRA", "MIL", "weave", 1, 108.47, 948.94, 1849.74, 0.09),
    PublishedStreaming(HERMANS, "BRA", "MIL", "weave", 3, 70.52, 648.69, 1409.49, 0.49),
    PublishedStreaming(HERMANS, "BRA", "MIL", "weave", 9, 39.35, 272.28, 935.86, 1.86),
    PublishedStreaming(HERMANS, "BRA", "LJU", "weave", 1, 109.74, 944.86, 1834.43, 0.09),
    PublishedStreaming(HERMANS, "BRA", "LJU", "weave", 3, 66.23, 650.13, 1414.7, 0.47),
    PublishedStreaming(HERMANS, "BRA", "LJU", "weave", 9, 41.09, 269.38, 928.17, 2.29),
    PublishedStreaming(HERMANS, "BRA", "AMS", "libnetwork", 1, 113.79, 963.13, 1868.45, 0.06),
    PublishedStreaming(HERMANS, "BRA", "AMS", "libnetwork", 3, 67.78, 659.49, 1445.72, 0.46),
    PublishedStreaming(HERMANS, "BRA", "AMS", "libnetwork", 9, 40.22, 277.33, 941.81, 2.01),
    PublishedStreaming(HERMANS, "BRA", "MIL", "libnetwork", 1, 109.93, 949.45, 1799.31, 0.06),
    PublishedStreaming(HERMANS, "BRA", "MIL", "libnetwork", 3, 69.98, 650.9, 1416.16, 0.48),
    PublishedStreaming(HERMANS, "BRA", "MIL", "libnetwork", 9, 38.96, 273.05, 934.06, 1.74),
    PublishedStreaming(HERMANS, "BRA", "LJU", "libnetwork", 1, 112.0, 948.27, 1833.7, 0.08),
    PublishedStreaming(HERMANS, "BRA", "LJU", "libnetwork", 3, 72.79, 642.49, 1426.46, 0.5),
    PublishedStreaming(HERMANS, "BRA", "LJU", "libnetwork", 9, 37.44, 271.1, 917.75, 1.98),
    PublishedStreaming(HERMANS, "BRA", "AMS", "flannel", 1, 109.87, 947.41, 1837.2, 0.11),
    PublishedStreaming(HERMANS, "BRA", "AMS", "flannel", 3, 64.24, 632.1, 1402.66, 0.4),
    PublishedStreaming(HERMANS, "BRA", "AMS", "flannel", 9, 40.33, 274.38, 944.66, 2.28),
    PublishedStreaming(HERMANS, "BRA", "MIL", "flannel", 1, 105.56, 947.71, 1829.12, 0.13),
    PublishedStreaming(HERMANS, "BRA", "MIL", "flannel", 3, 66.53, 621.74, 1427.34, 0.45),
    PublishedStreaming(HERMANS, "BRA", "MIL", "flannel", 9, 40.1, 272.09, 928.99, 1.91),
    PublishedStreaming(HERMANS, "BRA", "LJU", "flannel", 1, 110.88, 946.26, 1844.49, 0.1),
    PublishedStreaming(HERMANS, "BRA", "LJU", "flannel", 3, 62.97, 623.68, 1467.22, 0.46),
    PublishedStreaming(HERMANS, "BRA", "LJU", "flannel", 9, 41.26, 267.24, 916.67, 2.43),
)

Row = TypeVar("Row", Segment, PublishedThroughput)


def of_circuit(rows: Sequence[Row], overlay: str, a: str, b: str) -> list[Row]:
    """Return the rows of Hermans & de Niet for a circuit; for the control, those between their machines."""
    own = [row for row in rows if row.study == HERMANS and {row.a, row.b} == {a, b}]
    if overlay == CONTROL:
        return [row for row in own if row.platform == "vm"]
    return [row for row in own if (row.platform, row.instance) == ("docker", overlay)]
