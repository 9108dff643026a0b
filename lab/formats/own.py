"""Our own YAML: hosts and their sites, links and their round trips. `docs/topologies` has the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

from lab.errors import TopologyError
from lab.formats import models, yaml_text
from lab.topology import MTU, Topology


def read(text: str, source: str, sites: Mapping[str, tuple[float, float]] | None = None) -> Topology:
    """The topology of a YAML text; `sites` are further ones.

    Raises:
        TopologyError: naming every fault.
    """
    model = models.load(models.TopologyModel, text, source)
    graph: nx.Graph[Any] = nx.Graph()
    if own := {**(sites or {}), **model.sites}:
        graph.graph["sites"] = own
    for name, host in model.hosts.items():
        graph.add_node(
            name, **({"site": host} if isinstance(host, str) else host.model_dump(exclude_none=True))
        )
    for number, link in enumerate(model.links):
        _refuse(link, graph, source)
        a, b = link.between
        graph.add_edge(a, b, order=number, **link.model_dump(exclude_none=True, exclude={"between"}))
    parts = model.separate_parts
    return Topology(graph, name=model.name, description=model.description, separate_parts=parts)


def _refuse(link: models.LinkModel, graph: nx.Graph[Any], source: str) -> None:
    a, b = link.between
    for end in (a, b):
        if end not in graph:
            raise TopologyError(f"{source}: the link {a}-{b} ends at {end!r}, which is no host of this file")
    if graph.has_edge(a, b):
        raise TopologyError(f"{source}: a second link between {a} and {b}; a topology has one at most")


def write(topology: Topology) -> str:
    """The topology as YAML; what is as it would be anyway is left out."""
    data: dict[str, Any] = {"name": topology.name}
    data |= {"description": topology.description} if topology.description else {}
    data |= {"separate_parts": True} if topology.separate_parts else {}
    if own := topology.graph.graph.get("sites"):
        data["sites"] = {name: [float(x) for x in place] for name, place in own.items()}
    data["hosts"] = {host.name: _host(host) for host in topology.hosts}
    data["links"] = [_link(link) for link in topology.links]
    return yaml_text.dump(data)


def _host(host: Any) -> str | dict[str, Any]:
    more = {key: getattr(host, key) for key in ("cpus", "image") if getattr(host, key) is not None}
    more |= {"kind": host.kind} if host.kind != "host" else {}
    return {"site": host.site, **more} if more else host.site


def _link(link: Any) -> dict[str, Any]:
    usual = {"rate": None, "jitter": 0.0, "loss": 0.0, "mtu": MTU}
    about = {"between": [link.a, link.b], "rtt": link.rtt}
    about |= {key: getattr(link, key) for key, value in usual.items() if getattr(link, key) != value}
    return about | ({"name": link.name} if link.name != f"{link.a}-{link.b}" else {})
