"""lab export-dsl: a topology as a document for the GÉANT Testbeds Service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import Force, LargestComponent, Output, Sites, Strict, TopologyName
from lab.cli.topologies import read_topology, warn_of_limits
from lab.dsl import DIALECTS, from_topology, gts_rules, sidecar, write
from lab.errors import UnknownName

if TYPE_CHECKING:
    from lab.topology import Topology


def command(
    topology: TopologyName = "linear",
    dialect: Annotated[str, typer.Option(help="v2 (as in the 2016 thesis) or typed (from 2017 on).")] = "v2",
    output: Output = None,
    force: Force = False,
    strict: Strict = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Print a topology as a GTS DSL document; without arguments the thesis's chain of six.

    What the language cannot hold (round trips, jitter, loss, images) is named on standard
    error, and with -o kept in NAME.lab.yaml beside the document, so that reading it back
    gives the same topology.

    Example: python -m lab export-dsl four_pairs -o four_pairs.dsl
    """
    if dialect not in DIALECTS:
        raise UnknownName("dialect", dialect, DIALECTS)
    found = read_topology(topology, site, largest_component, switches=True)
    document = from_topology.to_document(found)
    warn_of_limits(topology, gts_rules.limits(document), strict)
    text = write.write(document, dialect)
    if output is None:
        _tell_losses(found, "; -o FILE keeps it beside the document")
        typer.echo(text, nl=False)
        return
    from lab.formats.files import sidecar_path, sidecar_text
    from lab.util import files

    beside = sidecar_path(output)
    files.write({beside: sidecar_text(found, output.name).encode(), output: text.encode()}, force=force)
    _tell_losses(found, f"; it is in {beside}")


def _tell_losses(topology: Topology, where: str) -> None:
    if lost := sidecar.summary(sidecar.extract(topology)):
        typer.echo(f"not in the document: {', '.join(lost)}{where}", err=True)
