"""lab export-dsl: a topology as a document for the GÉANT Testbeds Service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from lab.cli.options import Force, LargestComponent, Output, Sites, Strict, TopologyName
from lab.cli.topologies import read_topology, warn_of_limits
from lab.dsl import DIALECTS, from_topology, gts_rules, sidecar, write
from lab.errors import UnknownName

if TYPE_CHECKING:
    from lab.topology import Topology

Dialect: TypeAlias = Annotated[
    str, typer.Option(help="v2 (as in the thesis of 2016), or typed (since 2017).")
]


def command(
    topology: TopologyName = "linear",
    dialect: Dialect = "v2",
    output: Output = None,
    force: Force = False,
    strict: Strict = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Write a topology as a GTS DSL document, for GÉANT's testbeds.

    Without arguments it writes the chain of six hosts of the thesis. The language has no round
    trips, jitter, loss or images. They are listed on standard error. With -o they are kept in
    NAME.lab.yaml beside the document, so that reading it gives the same topology again.

    Example: lab export-dsl four_pairs -o four_pairs.dsl
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
