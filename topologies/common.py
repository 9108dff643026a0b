"""Parts that topologies share: a shape of networkx put on sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from typing import Any

import networkx as nx

from lab.errors import TopologyError
from lab.topology import sites

#: The sites of the 2016 studies, in the order of the thesis's chain, then the other known ones.
STUDIED = ("AMS", "PRG", "BRA", "LJU", "MIL")
#: Hosts of a topology that is made by name; far more than a machine can emulate.
LARGEST = 10_000
ALL = (*STUDIED, *(name for name in sites.SITES if name not in STUDIED))


def host_names(places: Iterable[str]) -> list[str]:
    """Return a host name per site: the site's name, from the second host on with a number (AMS, AMS2)."""
    seen: Counter[str] = Counter()
    found = []
    for place in places:
        seen[place.upper()] += 1
        found.append(place.upper() + (str(seen[place.upper()]) if seen[place.upper()] > 1 else ""))
    return found


def place(shape: nx.Graph[Any], places: Sequence[str], rate: float | None = None) -> nx.Graph[str]:
    """Return a graph with a shape's nodes, in order, on these sites; fewer sites are used again.

    Args:
        shape: any undirected graph.
        places: names of sites.
        rate: of every link in Mbit/s, None for no limit.

    Raises:
        TopologyError: there are no sites.
    """
    if not places:
        raise TopologyError("a topology needs at least one site")
    on = list(islice(cycle(places), len(shape)))
    graph: nx.Graph[str] = nx.Graph()
    hosts = dict(zip(shape, host_names(on), strict=True))
    graph.add_nodes_from((host, {"site": site}) for host, site in zip(hosts.values(), on, strict=True))
    graph.add_edges_from((hosts[a], hosts[b], {"rate": rate}) for a, b in shape.edges)
    return graph


def with_measured_rtts(graph: nx.Graph[str], study: str) -> nx.Graph[str]:
    """Set the links' round trips (ms): this study's, else published or estimated; return the same graph."""
    for a, b, edge in graph.edges(data=True):
        end_a, end_b = (sites.site(graph.nodes[host]["site"]) for host in (a, b))
        edge["rtt"] = sites.round_trip(end_a, end_b, study).rtt
    return graph


def check_size(what: str, count: int, least: int, most: int = LARGEST) -> None:
    """Refuse a number that makes no sense, before anything of that size is made.

    Raises:
        TopologyError: `count` is less than `least`, or more than `most`.
    """
    if count < least:
        raise TopologyError(f"{what} must be at least {least}, not {count}")
    if count > most:
        raise TopologyError(f"{what} must be at most {most:,}, not {count:,}")
