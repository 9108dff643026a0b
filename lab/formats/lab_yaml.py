"""Our own YAML: hosts and their sites, links and their round trips (``docs/reference/topology-file.md``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import networkx as nx

from lab.errors import TopologyError, nearest
from lab.formats import models, yaml_loader
from lab.topology import Topology
from lab.topology import schedule as timetable
from lab.topology.impairments import DEFAULTS
from lab.topology.specs import MTU
from lab.topology.validation import ROUTINGS, TopologyFault


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
    found = models.load_part(text, source)
    model = found.model
    graph, ends = _graph(found, sites)
    faults = [*found.faults, *ends]
    try:
        if model.schedule:
            graph.graph["schedule"] = list(_schedule(model, source, beside or Path(source).parent))
        parts = model.separate_parts or bool(faults)  # a link that is left out may have joined two parts
        topology = Topology(graph, name=model.name, description=model.description, separate_parts=parts)
    except TopologyError as error:
        faults += [f"{source}{_place(fault, found)}: {fault}" for fault in error.faults] or [str(error)]
    if faults:
        raise TopologyError("\n".join(sorted(faults, key=_line)), faults)
    return topology


def _graph(
    found: models.Loaded, sites: Mapping[str, tuple[float, float]] | None
) -> tuple[nx.Graph[Any], list[str]]:
    """Return the graph of a file, and what is wrong with the ends of its links, which are left out."""
    graph: nx.Graph[Any] = nx.Graph()
    faults = []
    if own := {**(sites or {}), **found.model.sites}:
        graph.graph["sites"] = own
    for name, host in found.model.hosts.items():
        graph.add_node(name, **_node(host))
    for number, link in enumerate(found.model.links):
        a, b = link.between
        if fault := _end_fault(a, b, graph, found):
            faults.append(fault)
        elif a in graph and b in graph:
            about = link.model_dump(exclude_none=True, exclude={"between"}, by_alias=True)
            graph.add_edge(a, b, order=number, **about)
    if found.model.routing != ROUTINGS[0]:
        graph.graph["routing"] = found.model.routing
    return graph, faults


def _node(host: str | models.HostModel | None) -> dict[str, Any]:
    if isinstance(host, models.HostModel):
        return host.model_dump(exclude_none=True)
    return {"site": host} if host else {}


def _end_fault(a: str, b: str, graph: nx.Graph[Any], found: models.Loaded) -> str:
    """Return what is wrong with the two hosts of a link, with its place; "" for nothing."""
    known = {str(name) for name in found.data["hosts"]}
    what = ""
    if strangers := [end for end in (a, b) if end not in known]:
        near = nearest(strangers[0], known)
        hint = f"; did you mean {near!r}?" if near else ""
        what = f"the link {a}-{b} ends at {strangers[0]!r}, which is no host of this file{hint}"
    elif graph.has_edge(a, b):
        what = f"a second link between {a} and {b}; a topology has one at most"
    if not what:
        return ""
    rows = [number for number, row in enumerate(found.data["links"]) if _between(row) == [a, b]]
    return f"{found.source}{found.place(('links', rows[-1], 'between'))}: {what}"


def _between(row: Any) -> Any:
    """Return the ends that are written for a link; a faulty one may be anything."""
    return row.get("between") if isinstance(row, dict) else None


def _place(fault: str, found: models.Loaded) -> str:
    """Return the place of a topology's fault in its file: that of the attribute that it begins with."""
    data, path = found.data, list[Any]()
    change = re.match(r"schedule, change (\d+)", fault)
    about = fault.place if isinstance(fault, TopologyFault) else ()
    if len(about) == 1:
        path = ["hosts", about[0]]
    elif len(about) == 2:
        rows = [_between(row) for row in data["links"]]
        path = ["links", next(n for n, ends in enumerate(rows) if ends in (list(about), list(about)[::-1]))]
    elif change and not any("trace" in row for row in data["schedule"]):
        path = ["schedule", int(change[1]) - 1]
    values = reduce(lambda inner, step: inner[step], path, data)
    words = fault.partition(": ")[2].replace(":", "").split()[:3]
    attribute = next((word for word in words if isinstance(values, dict) and word in values), None)
    return found.place([*path, attribute] if attribute else path) if path else ""


def _line(fault: str) -> tuple[int, int]:
    """Return line and column of a fault, by which faults are ordered; those without a place come last."""
    found = re.search(r":(\d+):(\d+): ", fault)
    return (int(found[1]), int(found[2])) if found else (10**9, 0)


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


def _host(host: Any) -> str | dict[str, Any] | None:
    more = {key: getattr(host, key) for key in ("cpus", "image") if getattr(host, key) is not None}
    more |= {"kind": host.kind} if host.kind != "host" else {}
    if not more:
        return host.site or None
    return {"site": host.site, **more} if host.site else more


def _link(link: Any) -> dict[str, Any]:
    usual = {**DEFAULTS, "mtu": MTU}
    about = {"between": [link.a, link.b], "rtt": link.rtt}
    about |= {key: getattr(link, key) for key, value in usual.items() if getattr(link, key) != value}
    about |= {"from": {host: dict(own) for host, own in link.ways}} if link.ways else {}
    return about | ({"name": link.name} if link.name != f"{link.a}-{link.b}" else {})
