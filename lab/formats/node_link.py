"""networkx's node-link JSON: hosts and links with the attributes of a topology's graph."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import networkx as nx

from lab.errors import TopologyError
from lab.topology import Topology

#: What a topology says of itself, kept among the graph's attributes.
TOPOLOGY_KEYS = ("name", "description", "separate_parts")


def write(topology: Topology) -> str:
    """The topology as JSON text."""
    graph: nx.Graph[Any] = nx.Graph(topology.graph)
    graph.graph |= {key: getattr(topology, key) for key in TOPOLOGY_KEYS}
    return json.dumps(nx.node_link_data(graph, edges="edges"), indent=1, ensure_ascii=False) + "\n"


def read_graph(text: str, source: str) -> nx.Graph[Any]:
    """The graph of a JSON text, whose links may be called ``edges`` or ``links``.

    Raises:
        TopologyError: it is no node-link JSON.
    """
    try:
        data = json.loads(text)
        nodes = [node["id"] for node in data["nodes"]]
        edges = "edges" if "edges" in data else "links"
        joined = {end for edge in data[edges] for end in (edge["source"], edge["target"])}
        data = {"directed": False, "multigraph": False, **data, "graph": dict(data.get("graph", {}))}
        strangers = sorted(map(str, joined - set(nodes)))
        twice = [str(node) for node, times in Counter(nodes).items() if times > 1]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise TopologyError(f"{source} is no node-link JSON: {what}") from error
    if twice or strangers:
        what = f"two nodes are called {', '.join(twice)}" if twice else f"no node {strangers[0]!r}"
        raise TopologyError(f"{source} is no topology: {what}")
    try:
        found = _built(data, edges)
    except ValueError as error:  # null is what networkx keeps for itself
        raise TopologyError(f"{source} is no node-link JSON: {error}") from error
    return found


def _built(data: Mapping[str, Any], edges: str) -> nx.Graph[Any]:
    """The graph; networkx's own function takes attributes called `self` or `u_of_edge` for its arguments."""
    kinds = {(False, False): nx.Graph, (True, False): nx.DiGraph, (False, True): nx.MultiGraph}
    kind = kinds.get((bool(data["directed"]), bool(data["multigraph"])), nx.MultiDiGraph)
    found: nx.Graph[Any] = kind()
    found.graph.update(data["graph"])
    found.add_nodes_from((node["id"], _without(node, "id")) for node in data["nodes"])
    beyond = ("source", "target", *(["key"] * found.is_multigraph()))
    found.add_edges_from((edge["source"], edge["target"], _without(edge, *beyond)) for edge in data[edges])
    return found


def _without(about: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key not in names}
