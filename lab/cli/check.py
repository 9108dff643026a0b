"""lab check: everything that is wrong with a topology or a document."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from lab.cli.options import LargestComponent, Sites, Strict
from lab.cli.topologies import read_topology, warn_of_limits
from lab.errors import DslError
from lab.util.documents import printable


def command(
    file: Annotated[str, typer.Argument(help="A .dsl, .yaml, .json, .graphml or .gml file, or a name.")],
    strict: Strict = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Check a topology or a GTS DSL document; every fault at once, each with line and column.

    Example: python -m lab check testbed.dsl --site OSL=59.91,10.75
    """
    from lab.dsl import from_topology, gts_rules

    try:
        found = read_topology(file, site, largest_component, switches=True)
    except DslError as error:
        if len(error.faults) < 2:
            raise
        typer.echo(printable(error), err=True)
        raise DslError(f"{file} has {len(error.faults)} faults") from error
    warn_of_limits(file, gts_rules.limits(from_topology.to_document(found)), strict)
    kinds = Counter([*(host.kind for host in found.hosts), *("link" for _ in found.links)])
    counted = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in kinds.items())
    places = f"{len(found.sites)} site{'s' * (len(found.sites) != 1)}"
    typer.echo(printable(f"{file}: {found.name}: {counted}, at {places}; no faults"))
