"""Static routes over the links, for overlays that send straight from host to host.

An overlay that forwards by itself must not have them: its hops would no longer be its own.
"""

from __future__ import annotations

from zlib import crc32

from lab.hosts.base import Host
from lab.topology import Topology
from overlays.support.batch import Batch
from overlays.support.polling import each


def mark(overlay: str) -> int:
    """The protocol number and metric of an overlay's routes, 150 to 249.

    Routes of two overlays to one subnet differ in metric, so each can be taken away alone.
    """
    return 150 + crc32(overlay.encode()) % 100


def add(batch: Batch, host: str, topology: Topology, overlay: str) -> Batch:
    """Add to a batch the routes of one host to every subnet of the topology."""
    tail = f"proto {mark(overlay)} metric {mark(overlay)}"
    lines = [f"route replace {subnet} via {gateway} {tail}\n" for subnet, gateway in topology.routes(host)]
    return batch.feed(["ip", "-batch", "-"], "".join(lines)) if lines else batch


def drop(batch: Batch, overlay: str) -> Batch:
    """Add to a batch the removal of all routes of an overlay on a host."""
    return batch.attempt(["ip", "route", "flush", "proto", str(mark(overlay))])


async def install(hosts: tuple[Host, ...], topology: Topology, overlay: str) -> None:
    """Give every host its routes."""
    await each(lambda host: add(Batch(), host.name, topology, overlay).on(host), hosts)


async def remove(hosts: tuple[Host, ...], overlay: str) -> None:
    """Take an overlay's routes away from every host."""
    await each(lambda host: drop(Batch(), overlay).on(host), hosts)
