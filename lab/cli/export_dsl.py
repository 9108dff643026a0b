"""lab export-dsl: a topology as a document for the GÉANT Testbeds Service."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab import catalog
from lab.cli.options import LargestComponent, Sites, TopologyName
from lab.dsl import DIALECTS, from_topology, gts_rules, sidecar, write
from lab.errors import DslError, UnknownName
from lab.events import Event, Note
from lab.topology import sites

if TYPE_CHECKING:
    from lab.topology import Topology


def command(
    topology: TopologyName = "linear",
    dialect: Annotated[str, typer.Option(help="v2 (as in the 2016 thesis) or typed (from 2017 on).")] = "v2",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite the file.")] = False,
    strict: Annotated[bool, typer.Option(help="Refuse what runs into a limit of the service.")] = False,
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
    found = catalog.topology(
        topology,
        places=sites.parse_all(site or ()),
        largest_component=largest_component,
        switches=True,
        emit=tell,
    )
    document = from_topology.to_document(found)
    warn(topology, gts_rules.limits(document), strict)
    text = write.write(document, dialect)
    if output is None:
        _say_losses(found, "; -o FILE keeps it beside the document")
        typer.echo(text, nl=False)
        return
    from lab.formats.files import sidecar_path, sidecar_text
    from lab.util import files

    beside = sidecar_path(output)
    files.write({beside: sidecar_text(found, output.name).encode(), output: text.encode()}, force=force)
    _say_losses(found, f"; it is in {beside}")


def tell(event: Event) -> None:
    """Notes go to standard error: standard output is the document."""
    if isinstance(event, Note):
        typer.echo(event.text, err=True)


def warn(topology: str, limits: list[gts_rules.Limit], strict: bool) -> None:
    """One line for each kind of limit, on standard error.

    Raises:
        DslError: there are any, and `strict` is set.
    """
    counts = Counter(limit.name for limit in limits)
    first = {limit.name: limit.text for limit in reversed(limits)}
    for name in sorted(counts):
        more = f" (and {counts[name] - 1} more)" if counts[name] > 1 else ""
        typer.echo(f"warning: {name}: {first[name]}{more}", err=True)
    if strict and limits:
        kinds = ", ".join(sorted(counts))
        count = f"{len(limits)} limit{'s' * (len(limits) != 1)}"
        raise DslError(f"{topology} runs into {count} of the service ({kinds}) and --strict is set")


def _say_losses(topology: Topology, where: str) -> None:
    if lost := sidecar.summary(sidecar.extract(topology)):
        typer.echo(f"not in the document: {', '.join(lost)}{where}", err=True)
