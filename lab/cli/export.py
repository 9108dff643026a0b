"""lab export: a topology in a form that other programs, or the lab itself, can read."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import export_dsl
from lab.cli.options import Force, LargestComponent, Output, Sites, Strict, TopologyName
from lab.cli.topologies import read_topology
from lab.errors import UnknownName, UsageError
from lab.topology import Topology
from lab.util import files

FORMATS = ("gts", "yaml", "json")


def command(
    topology: TopologyName,
    form: Annotated[
        str, typer.Option("--format", help="gts: a document for GÉANT's testbeds; yaml; json (networkx).")
    ] = "gts",
    dialect: export_dsl.Dialect = "v2",
    output: Output = None,
    force: Force = False,
    strict: Strict = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Write a topology as a GTS document, as YAML or as JSON.

    '--format gts' is the same as 'lab export-dsl'. Only it has --dialect and --strict.

    Example: lab export four_pairs --format gts -o four_pairs.dsl
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if form == "gts":
        export_dsl.command(topology, dialect, output, force, strict, site, largest_component)
        return
    if strict or dialect != "v2":
        raise UsageError("--strict and --dialect are for '--format gts'")
    text = text_of(read_topology(topology, site, largest_component, switches=True), form)
    if output is None:
        typer.echo(text, nl=False)
    else:
        files.write({output: text.encode()}, force=force)


def text_of(topology: Topology, form: str) -> str:
    """Return a topology as ``yaml`` or ``json``."""
    from lab.formats import lab_yaml, node_link

    return node_link.write(topology) if form == "json" else lab_yaml.write(topology)
