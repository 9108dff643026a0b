"""Static routes over the links, for overlays that send straight from host to host.

An overlay that forwards by itself must not have them: its hops would no longer be its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any
from zlib import crc32

import networkx as nx

from lab.errors import OverlayError, TopologyError
from lab.hosts.host import Host
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.common.batch import Batch


def mark(overlay: str) -> int:
    """Return the protocol number, metric and table of an overlay's routes, 150 to 249.

    Routes of two overlays to one subnet differ in metric, so each can be taken away alone.
    """
    return 150 + crc32(overlay.encode()) % 100


def to_subnets(host: str, topology: Topology) -> list[str]:
    """Return the routes of one host to every subnet that is not its own, as ``ip`` takes them."""
    return [f"{subnet} via {gateway}" for subnet, gateway in topology.routes(host)]


def to_hosts(host: str, topology: Topology) -> list[str]:
    """Return routes to the first address of every other host, with the host's own first one as the source.

    A tunnel in the kernel drops what comes from another address than the one it knows for the
    sender, and a host with two links sends from whichever of them the packet leaves by.
    """
    others = [h.name for h in topology.hosts if h.name != host and reaches(topology, host, h.name)]
    return [_to_host(host, other, topology) for other in others]


def reaches(topology: Topology, a: str, b: str) -> bool:
    """Return True when two hosts are in one part of the topology."""
    try:
        return bool(topology.path(a, b))
    except TopologyError:
        return False


def refuse_gap(overlay: str, topology: Topology, hosts: Iterable[Host]) -> None:
    """Check that the hosts of an overlay that relays reach each other through one another.

    Raises:
        OverlayError: names two that only a host without the overlay joins.
    """
    names = [host.name for host in hosts]
    part = {
        name: found for found in nx.connected_components(topology.graph.subgraph(names)) for name in found
    }
    for a, b in combinations(names, 2):
        if b not in part[a] and reaches(topology, a, b):
            raise OverlayError(
                f"{overlay}: {a} would reach {b} only through a host that does not have the overlay; "
                "let hosts join from their neighbours on, and leave from the ends"
            )


def relays(topology: Topology, hosts: Iterable[Host]) -> dict[str, dict[str, str]]:
    """Return per host the neighbour to which it hands what is for each other one, over these hosts only.

    The way back is the way there, also where two are equally long: then the numbers of the links decide.
    """
    names, shift = [host.name for host in hosts], len(topology.links)
    by_delay = topology.routing == "delay"

    def weight(a: str, b: str, _edge: Any) -> int:
        link = topology.link(a, b)
        nanoseconds = round(link.rtt * 1e6)
        length = (nanoseconds << 32) + 1 if by_delay else nanoseconds + (1 << 64)
        return (length << shift) + (1 << topology.links.index(link))  # no two sums of the second are equal

    graph = topology.graph.subgraph(names)
    trees = {name: nx.single_source_dijkstra_path(graph, name, weight=weight) for name in names}
    return {
        name: {other: tree[other][1] for other in names if other in tree and other != name}
        for name, tree in trees.items()
    }


def _to_host(host: str, other: str, topology: Topology) -> str:
    towards = topology.path(host, other)[1]
    link = topology.link(host, towards)
    there, gateway = topology.address(other), link.address(towards)
    step = f"dev {link.interface(host)}" if there == gateway else f"via {gateway}"
    return f"{there}/32 {step} src {topology.address(host)}"


def add(batch: Batch, host: str, topology: Topology, overlay: str) -> Batch:
    """Add to a batch the routes of one host."""
    tail = f"proto {mark(overlay)} metric {mark(overlay)}"
    return _feed(batch, [f"route replace {line} {tail}" for line in to_subnets(host, topology)])


def add_tunnel(batch: Batch, host: str, topology: Topology, overlay: str, port: int) -> Batch:
    """Add to a batch the routes of a tunnel's datagrams: a table of their own, chosen by their UDP port.

    Other programs of the host go on choosing their source address as before.
    """
    table = mark(overlay)
    _feed(batch, [f"route replace {line} table {table}" for line in to_hosts(host, topology)])
    rule = ["ipproto", "udp", "dport", str(port), "lookup", str(table), "priority", str(table)]
    return batch.attempt(["ip", "rule", "add", *rule])


def _feed(batch: Batch, lines: list[str]) -> Batch:
    return batch.feed(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines)) if lines else batch


def drop(batch: Batch, overlay: str) -> Batch:
    """Add to a batch the removal of all routes of an overlay on a host."""
    number = str(mark(overlay))
    batch.attempt(["ip", "rule", "del", "priority", number])
    batch.attempt(["ip", "route", "flush", "table", number])
    return batch.attempt(["ip", "route", "flush", "proto", number])


async def install(hosts: tuple[Host, ...], topology: Topology, overlay: str) -> None:
    """Give every host its routes."""
    await together(add(Batch(), host.name, topology, overlay).on(host) for host in hosts)


async def renew(hosts: tuple[Host, ...], topology: Topology, overlay: str, tunnel: int = 0) -> None:
    """Replace the routes of every host; `tunnel` is as in `add_tunnel`."""

    async def one(host: Host) -> None:
        batch = add(drop(Batch(), overlay), host.name, topology, overlay)
        await (add_tunnel(batch, host.name, topology, overlay, tunnel) if tunnel else batch).on(host)

    await together(one(host) for host in hosts)
