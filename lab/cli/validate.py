"""lab validate: everything that is wrong with a topology or a document."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from lab.cli.options import LargestComponent, Sites, Strict
from lab.cli.topologies import counted, read_topology, warn_of_limits
from lab.errors import DslError, TopologyError
from lab.util.documents import printable


def command(
    file: Annotated[str, typer.Argument(help="A .dsl, .yaml, .json, .graphml or .gml file, or a name.")],
    strict: Strict = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Check a topology file or a GTS DSL document, and list all faults with line and column.

    Example: lab validate testbed.dsl --site OSL=59.91,10.75
    """
    from lab.dsl import from_topology, gts_rules

    try:
        found = read_topology(file, site, largest_component, switches=True)
    except (DslError, TopologyError) as error:
        if len(error.faults) < 2:
            raise
        typer.echo(printable(error), err=True)
        raise type(error)(f"{file} has {len(error.faults)} faults") from error
    if strict or file.endswith(".dsl"):  # others may never go to the service
        warn_of_limits(file, gts_rules.limits(from_topology.to_document(found)), strict)
    kinds = Counter([*(host.kind for host in found.hosts), *("link" for _ in found.links)])
    parts = ", ".join(counted(count, kind) for kind, count in kinds.items())
    places = f", at {counted(len(found.sites), 'site')}" if found.sites else ""
    typer.echo(printable(f"{file}: {found.name}: {parts}{places}; no faults"))
