"""Static routes over the links, for overlays that send straight from host to host.

An overlay that forwards by itself must not have them: its hops would no longer be its own.
"""

from __future__ import annotations

from zlib import crc32

from lab.errors import TopologyError
from lab.hosts.base import Host
from lab.topology import HostSpec, Topology
from overlays.support.batch import Batch
from overlays.support.polling import each


def mark(overlay: str) -> int:
    """The protocol number and metric of an overlay's routes, 150 to 249.

    Routes of two overlays to one subnet differ in metric, so each can be taken away alone.
    """
    return 150 + crc32(overlay.encode()) % 100


def lines(host: str, topology: Topology) -> list[str]:
    """The routes of one host, as ``ip`` takes them: destination, next hop, own address.

    Beside a route to every subnet there is one to the first address of every other host, with
    the host's own first address as the source. A tunnel in the kernel needs that: it drops what
    comes from another address than the one it knows for the sender, and without the route a
    host with two links would send from whichever of them the packet leaves by.
    """
    to_subnets = [f"{subnet} via {gateway}" for subnet, gateway in topology.routes(host)]
    return to_subnets + [_to_host(host, other.name, topology) for other in _others(host, topology)]


def _others(host: str, topology: Topology) -> list[HostSpec]:
    return [h for h in topology.hosts if h.name != host and reaches(topology, host, h.name)]


def reaches(topology: Topology, a: str, b: str) -> bool:
    """Whether two hosts are in one part of the topology."""
    try:
        return bool(topology.path(a, b))
    except TopologyError:
        return False


def _to_host(host: str, other: str, topology: Topology) -> str:
    towards = topology.path(host, other)[1]
    link = topology.link(host, towards)
    there, gateway = topology.address(other), link.address(towards)
    step = f"dev {link.interface(host)}" if there == gateway else f"via {gateway}"
    return f"{there}/32 {step} src {topology.address(host)}"


def add(batch: Batch, host: str, topology: Topology, overlay: str) -> Batch:
    """Add to a batch the routes of one host."""
    tail = f"proto {mark(overlay)} metric {mark(overlay)}"
    text = "".join(f"route replace {line} {tail}\n" for line in lines(host, topology))
    return batch.feed(["ip", "-batch", "-"], text) if text else batch


def drop(batch: Batch, overlay: str) -> Batch:
    """Add to a batch the removal of all routes of an overlay on a host."""
    return batch.attempt(["ip", "route", "flush", "proto", str(mark(overlay))])


async def install(hosts: tuple[Host, ...], topology: Topology, overlay: str) -> None:
    """Give every host its routes."""
    await each(lambda host: add(Batch(), host.name, topology, overlay).on(host), hosts)


async def remove(hosts: tuple[Host, ...], overlay: str) -> None:
    """Take an overlay's routes away from every host."""
    await each(lambda host: drop(Batch(), overlay).on(host), hosts)
