"""Topologies from files, by what the file's name ends in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from lab import dsl
from lab.errors import DslError, LabError, TopologyError
from lab.events import Emit, Note, silent
from lab.topology import Topology
from lab.util import documents
from lab.util.documents import Bounds

#: What a file's name may end in, and what that means.
FORMATS = {
    ".dsl": "GTS DSL",
    ".yaml": "the lab's own YAML",
    ".yml": "the lab's own YAML",
    ".json": "networkx node-link JSON",
    ".graphml": "GraphML",
    ".gml": "GML",
}
#: What a file may have. Ten thousand hosts with twenty thousand links take 1.2 MiB of YAML, 2 of GML, 3 of
#: GraphML, 5 of the DSL and 6 of JSON, and less than three quarters of these items.
TOPOLOGY = Bounds("topology")
BOUNDS = {
    ".dsl": TOPOLOGY,  # `lab.dsl.reader` counts what is in it, and gives the place
    ".yaml": TOPOLOGY,  # as `yaml_loader` does
    ".json": Bounds("topology", item=r"[\[{,]", items=500_000, nested=True),
    ".graphml": Bounds("topology", item=r"[<=]", items=500_000),
    ".gml": Bounds("topology", item=r"\S+", items=500_000, nested=True),
}
SIDE_BOUNDS = Bounds("side file")
SIDECAR_SUFFIX = ".lab.yaml"


def is_file(name: str) -> bool:
    """Return True for a name that is meant to be a file: it is one, or ends like one."""
    # unlike Path.is_file, this takes a name that is too long for a file
    return Path(name).suffix.lower() in FORMATS or "/" in name or os.path.isfile(name)  # noqa: PTH113


def read(
    file: Path,
    *,
    sites: Mapping[str, tuple[float, float]] | None = None,
    largest_component: bool = False,
    emit: Emit = silent,
) -> Topology:
    """The topology in a file.

    Args:
        file: its name ends in one of `FORMATS`.
        sites: sites beyond the known ones, as name to (latitude, longitude).
        largest_component: reduce a graph to what a topology can hold, and say so.
        emit: is told what was left out.

    Raises:
        TopologyError: the file cannot be read, or is no topology.
        DslError: the document has faults.
    """
    if file.name.endswith(SIDECAR_SUFFIX):
        raise TopologyError(f"{file} is the side file of a document; name the .dsl file beside it")
    source = documents.printable(file)
    data = documents.content(file, TopologyError, TOPOLOGY, pipes=True)
    text = documents.decoded(data, source, TopologyError)
    form = _format(file, text)

    def parse(text: str) -> Topology:
        if form == ".dsl":
            return _document(file, text, sites)
        if form == ".yaml":
            from lab.formats import lab_yaml

            return lab_yaml.read(text, source, sites, beside=file.parent)
        return _graph_topology(form, file, text, sites, largest_component, emit)

    return documents.parsed(text, source, parse, TopologyError, BOUNDS[form])


def _document(file: Path, text: str, sites: Mapping[str, tuple[float, float]] | None) -> Topology:
    sidecar = sidecar_path(file)
    added = load_sidecar(sidecar) if os.path.lexists(sidecar) else None
    return dsl.parse(text, source=str(file), sites=sites, sidecar=added)


def _graph_topology(
    form: str,
    file: Path,
    text: str,
    sites: Mapping[str, tuple[float, float]] | None,
    largest_component: bool,
    emit: Emit,
) -> Topology:
    graph = _graph(form, text, str(file))
    if any("site" in about for _, about in graph.nodes(data=True)):
        return _from_graph(graph, file, sites)
    from lab.formats import zoo

    found, notes = zoo.topology(graph, str(file), largest_component)
    for note in notes:
        emit(Note(f"{file}: {note}"))
    return found


def _format(file: Path, text: str) -> str:
    """By the end of the file's name; a document of the testbed may have any."""
    form = file.suffix.lower()
    if form == ".yml":
        return ".yaml"
    if form not in FORMATS and re.match(r"\ufeff?\s*(type\s+)?[A-Za-z_$][\w$]*\s*\{", text):
        return ".dsl"
    if form not in FORMATS:
        raise TopologyError(f"{file}: the ending of the name is not known; known are {', '.join(FORMATS)}")
    return form


def sidecar_path(document: Path) -> Path:
    """The side file of a document: `NAME.lab.yaml` beside `NAME.dsl`, with what the language cannot hold."""
    return document.with_name(f"{document.stem}{SIDECAR_SUFFIX}")


def sidecar_text(topology: Topology, document: str) -> str:
    """The side file of a topology whose document is in a file of this name."""
    from lab.dsl import sidecar
    from lab.formats import yaml_loader

    about = f"# What {document} cannot hold; every lab command reads both.\n"
    return about + yaml_loader.dump(sidecar.extract(topology))


def load_sidecar(file: Path) -> dict[str, Any]:
    """Read a side file, for `lab.dsl.parse`.

    Raises:
        DslError: it is not valid.
    """
    from lab.formats import models

    def parse(text: str) -> dict[str, Any]:
        found = models.load(models.SideModel, text, str(file))
        return found.model_dump(exclude_unset=True, by_alias=True)

    try:
        return documents.read(file, parse, DslError, SIDE_BOUNDS)
    except TopologyError as error:
        raise DslError(str(error)) from error


def _graph(form: str, text: str, source: str) -> nx.Graph[Any]:
    from lab.formats import node_link

    if form == ".json":
        return node_link.read_graph(text, source)
    parse: Callable[[str], Any] = nx.parse_graphml if form == ".graphml" else _gml
    try:
        found: nx.Graph[Any] = parse(text)
    except LabError:
        raise
    except Exception as error:  # the parsers of networkx raise whatever their text makes them run into
        what = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise TopologyError(f"{source} is no {FORMATS[form]}: {what}") from error
    return found


def _gml(text: str) -> Any:
    """The Topology Zoo's files have parallel edges without saying so."""
    try:
        return nx.parse_gml(text, label="id")
    except nx.NetworkXError as error:
        if "is duplicated" not in str(error):
            raise
        return nx.parse_gml(re.sub(r"\bgraph\s*\[", "graph [ multigraph 1 ", text, count=1), label="id")


def _from_graph(
    graph: nx.Graph[Any], file: Path, sites: Mapping[str, tuple[float, float]] | None
) -> Topology:
    from lab.formats.node_link import TOPOLOGY_KEYS

    about = {key: graph.graph.pop(key) for key in TOPOLOGY_KEYS if key in graph.graph}
    about.setdefault("name", file.stem)
    if sites:
        graph.graph["sites"] = {**graph.graph.get("sites", {}), **sites}
    return Topology(graph, **about)
