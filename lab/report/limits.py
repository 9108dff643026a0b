"""Limits: what the links on a sample's way can carry of its data."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

from lab.errors import LabError
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample
from lab.topology import Topology

#: Bytes of headers: Ethernet, which a link's rate has in it; IPv4; UDP; TCP with time stamps.
ETHERNET, IPV4, UDP, TCP = 14, 20, 8, 32


def topology_of(run: StoredRun) -> Topology | None:
    """Return the topology of a run; None of one that this version cannot read."""
    try:
        return Topology.from_dict(run.manifest.topology)
    except LabError:
        return None


def data_share(sample: Sample, mtu: int = 1500) -> float:
    """Return the share of a link's bytes that are a sample's data; headers that are not known count as none.

    An overlay's own headers are not counted: they are part of what is measured.
    """
    if size := sample.values.get("datagram_bytes"):
        packets = ceil((size + UDP) / ((mtu - IPV4) // 8 * 8))
        return size / (size + UDP + packets * (IPV4 + ETHERNET))
    if sample.congestion_control:
        return (mtu - IPV4 - TCP) / (mtu + ETHERNET)
    return 1.0


def link_limit(topology: Topology, sample: Sample) -> float | None:
    """Return what the slowest link on the way carries of a sample's data (Mbit/s); None without a limit."""
    try:
        way = topology.path(str(sample.params.get("from")), str(sample.params.get("to")))
    except LabError:
        return None
    links = [topology.link(*pair) for pair in pairwise(way)]
    rates = [link.rate for link in links if link.rate is not None]
    return min(rates) * data_share(sample, min(link.mtu for link in links)) if rates else None
