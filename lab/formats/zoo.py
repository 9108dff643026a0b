"""Graphs that others made, above all the Internet Topology Zoo's: places become delays.

Knight, Nguyen, Falkner, Bowden and Roughan, *The Internet Topology Zoo*, IEEE JSAC 29(9),
2011. Their nodes have a `label`, and mostly `Latitude` and `Longitude` in degrees; their
edges may have `LinkSpeedRaw` in bit/s. Nodes may share a label, lack a place, or lie apart
from the rest; between two of them may be several edges. None of that is a topology.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

import networkx as nx

from lab.errors import TopologyError
from lab.topology import Topology, sites
from lab.topology.validation import RANGES

Reduced: TypeAlias = "tuple[nx.Graph[Any], list[str]]"


def topology(graph: nx.Graph[Any], source: str, reduce: bool) -> tuple[Topology, list[str]]:
    """The topology of a graph, and sentences that say what was left out of it.

    Args:
        graph: of any kind, nodes of any kind.
        source: what messages call it.
        reduce: leave out or join what a topology cannot hold, in place of refusing it.

    Raises:
        TopologyError: the graph is no topology, and `reduce` was not asked for or does not help.
    """
    notes: list[str] = []
    for step in (_one_link_each, _placed, _distinct, _connected):
        graph, said = step(graph)
        notes += said
        if not graph:
            raise TopologyError(f"{source}: no node has Latitude and Longitude, so there are no delays")
    if notes and not reduce:
        what = "; ".join(notes)
        raise TopologyError(f"{source}: {what}; only --largest-component makes a topology of this")
    name = re.sub(r"\s+", " ", str(graph.graph.get("Network") or graph.graph.get("label") or source)).strip()
    return Topology(_ours(graph), name=name, description=f"From {source}"), notes


def _one_link_each(graph: nx.Graph[Any]) -> Reduced:
    """The graph undirected, without loops, and of parallel edges only the fastest."""
    best: dict[frozenset[Any], tuple[Any, Any, Any]] = {}
    loops = parallel = 0
    for a, b, edge in graph.edges(data=True):
        pair = frozenset((a, b))
        loops += a == b
        parallel += pair in best
        if a != b and (pair not in best or (_rate(edge) or 0) > (_rate(best[pair][2]) or 0)):
            best[pair] = (a, b, edge)
    simple: nx.Graph[Any] = nx.Graph()
    simple.graph.update(graph.graph)
    simple.add_nodes_from(graph.nodes(data=True))
    simple.add_edges_from(best.values())
    said = [f"edges that join a node to itself: {loops}, left out"] if loops else []
    return simple, said + ([f"edges beside a faster one: {parallel}, left out"] if parallel else [])


def _placed(graph: nx.Graph[Any]) -> Reduced:
    """Without the nodes that have no place."""
    lost = [node for node, about in graph.nodes(data=True) if _place(about) is None]
    said = [f"nodes without Latitude and Longitude: {_some(graph, lost)}, left out"] if lost else []
    placeless = set(lost)
    return nx.Graph(graph.subgraph(n for n in graph if n not in placeless)), said


def _distinct(graph: nx.Graph[Any]) -> Reduced:
    """With a number after each label that comes again, be it in other letters' case: sites have none."""
    by_name = defaultdict(list)
    for node in graph:
        by_name[_name(node, graph.nodes[node]).upper()].append(node)
    labels: dict[Any, str] = {}
    twice = []
    for nodes in by_name.values():
        name = _name(nodes[0], graph.nodes[nodes[0]])
        labels |= {node: name if len(nodes) == 1 else f"{name}-{n}" for n, node in enumerate(nodes, start=1)}
        twice += [name] if len(nodes) > 1 else []
    said = [f"several nodes are called {', '.join(sorted(twice)[:10])}: numbered"] if twice else []
    return nx.relabel_nodes(graph, {node: labels[node] for node in graph}), said


def _connected(graph: nx.Graph[Any]) -> Reduced:
    """Only the largest part; of equal ones, that of the first node."""
    parts = sorted(nx.connected_components(graph), key=len, reverse=True)
    if len(parts) < 2:
        return graph, []
    lost = [node for node in graph if node not in parts[0]]
    said = f"it is in {len(parts)} parts; nodes apart from the largest: {_some(graph, lost)}, left out"
    return nx.Graph(graph.subgraph(n for n in graph if n in parts[0])), [said]


def _ours(graph: nx.Graph[Any]) -> nx.Graph[Any]:
    made: nx.Graph[Any] = nx.Graph()
    made.graph["sites"] = {str(n).upper(): _place(at) for n, at in graph.nodes(data=True)}
    made.add_nodes_from((node, {"site": str(node).upper()}) for node in graph)
    made.add_edges_from(
        (a, b, {"rtt": _rtt(graph, a, b), "rate": _rate(at)}) for a, b, at in graph.edges(data=True)
    )
    return made


def _rtt(graph: nx.Graph[Any], a: Any, b: Any) -> float:
    ends = (sites.Site(str(n), str(n), *(_place(graph.nodes[n]) or (0.0, 0.0))) for n in (a, b))
    return sites.estimate(sites.distance(*ends))


def _rate(edge: dict[str, Any]) -> float | None:
    """Mbit/s of `LinkSpeedRaw`, which is in bit/s."""
    speed = _number(edge.get("LinkSpeedRaw"))
    least, most, _ = RANGES["rate"]
    return None if speed is None else min(max(speed / 1e6, least), most)


def _place(about: dict[str, Any]) -> tuple[float, float] | None:
    place = _number(about.get("Latitude")), _number(about.get("Longitude"))
    if place[0] is None or place[1] is None or abs(place[0]) > 90 or abs(place[1]) > 180:
        return None
    return place[0], place[1]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e18 else None


def _name(node: Any, about: dict[str, Any]) -> str:
    """The label in letters and digits: São Paulo becomes SaoPaulo."""
    plain = unicodedata.normalize("NFKD", str(about.get("label") or node)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]", "", plain)[:50]
    return name if name[:1].isalpha() else f"n{name}"


def _some(graph: nx.Graph[Any], nodes: Iterable[Any]) -> str:
    names = [str(graph.nodes[node].get("label") or node) for node in nodes]
    return f"{len(names)} ({', '.join(names[:10])}{', …' if len(names) > 10 else ''})"
