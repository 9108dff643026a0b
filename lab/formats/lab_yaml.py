"""Our own YAML: hosts and their sites, links and their round trips (``docs/reference/topology-file.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from lab.errors import TopologyError
from lab.formats import models, yaml_loader
from lab.topology import Topology
from lab.topology import schedule as timetable
from lab.topology.impairments import DEFAULTS
from lab.topology.specs import MTU
from lab.topology.validation import ROUTINGS


def read(
    text: str,
    source: str,
    sites: Mapping[str, tuple[float, float]] | None = None,
    beside: Path | None = None,
) -> Topology:
    """The topology of a YAML text; `sites` are further ones, and `beside` is the folder of its traces.

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
        about = link.model_dump(exclude_none=True, exclude={"between"}, by_alias=True)
        graph.add_edge(a, b, order=number, **about)
    if model.routing != ROUTINGS[0]:
        graph.graph["routing"] = model.routing
    if model.schedule:
        graph.graph["schedule"] = list(_schedule(model, source, beside or Path(source).parent))
    parts = model.separate_parts
    return Topology(graph, name=model.name, description=model.description, separate_parts=parts)


def _schedule(model: models.TopologyModel, source: str, beside: Path) -> Iterator[dict[str, Any]]:
    """The changes of a file's schedule; a recorded trace becomes the changes that it is made of."""
    for change in model.schedule:
        entry = change.model_dump(exclude_unset=True, by_alias=True)
        entry.setdefault("at", 0)
        if (trace := entry.pop("trace", None)) is None:
            yield entry
            continue
        start = timetable.seconds(entry["at"])
        if set(entry) - {"at", "link", "from"} or start is None:
            raise TopologyError(f"{source}: the trace {trace} needs a link and a time (at), and nothing else")
        for row in timetable.read_trace(beside / trace, source, beneath=beside):
            yield {**entry, **row, "at": start + row["at"]}


def _refuse(link: models.LinkModel, graph: nx.Graph[Any], source: str) -> None:
    a, b = link.between
    for end in (a, b):
        if end not in graph:
            raise TopologyError(f"{source}: the link {a}-{b} ends at {end!r}, which is no host of this file")
    if graph.has_edge(a, b):
        raise TopologyError(f"{source}: a second link between {a} and {b}; a topology has one at most")


def write(topology: Topology) -> str:
    """The topology as YAML, without default values."""
    data: dict[str, Any] = {"name": topology.name}
    data |= {"description": topology.description} if topology.description else {}
    data |= {"separate_parts": True} if topology.separate_parts else {}
    data |= {"routing": topology.routing} if topology.routing != ROUTINGS[0] else {}
    if own := topology.graph.graph.get("sites"):
        data["sites"] = {name: [float(x) for x in place] for name, place in own.items()}
    data["hosts"] = {host.name: _host(host) for host in topology.hosts}
    data["links"] = [_link(link) for link in topology.links]
    if schedule := topology.graph.graph.get("schedule"):
        data["schedule"] = schedule
    return yaml_loader.dump(data)


def _host(host: Any) -> str | dict[str, Any]:
    more = {key: getattr(host, key) for key in ("cpus", "image") if getattr(host, key) is not None}
    more |= {"kind": host.kind} if host.kind != "host" else {}
    return {"site": host.site, **more} if more else host.site


def _link(link: Any) -> dict[str, Any]:
    usual = {**DEFAULTS, "mtu": MTU}
    about = {"between": [link.a, link.b], "rtt": link.rtt}
    about |= {key: getattr(link, key) for key, value in usual.items() if getattr(link, key) != value}
    about |= {"from": {host: dict(own) for host, own in link.ways}} if link.ways else {}
    return about | ({"name": link.name} if link.name != f"{link.a}-{link.b}" else {})
