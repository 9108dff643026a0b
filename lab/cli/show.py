"""lab show: a topology as a table, or as a picture in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Force, LargestComponent, Sites, TopologyName
from lab.cli.topologies import read_topology
from lab.errors import FileError
from lab.topology import Topology
from lab.util import files


def command(
    topology: TopologyName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file that ends in .svg, .png, .dot, .mmd, .json or .yaml."),
    ] = None,
    force: Force = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Show a topology: hosts, links, addresses and expected round trips, or a picture on the map.

    Example: python -m lab show linear -o chain.svg
    """
    if output is not None and output.suffix.lower() not in FORMS:
        raise FileError(f"{output}: a picture's file ends in {', '.join(FORMS)}")
    found = read_topology(topology, site, largest_component, switches=True)
    if output is None:
        _table(found)
    else:
        files.write({output: FORMS[output.suffix.lower()](found)}, force=force)


def _table(topology: Topology) -> None:
    """Print a topology: on a terminal in colour and no wider than it, in a pipe as aligned text."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from lab.draw import summary

    console = Console(highlight=False)
    if not console.is_terminal:
        typer.echo(summary.text(topology), nl=False)
        return
    console.print(Text(summary.title(topology), "bold"))
    for part in summary.parts(topology):
        table = Table(box=None)
        for column in part.columns:
            table.add_column(Text(column))
        for row in part.rows:
            table.add_row(*map(Text, row))
        console.print(Text(f"\n{part.heading}", "cyan"))
        console.print(table)


def _picture(form: str) -> Callable[[Topology], bytes]:
    def drawn(topology: Topology) -> bytes:
        from lab.draw import chart

        return chart.render(topology, form)

    return drawn


def _dot(topology: Topology) -> bytes:
    from lab.draw import labels

    return labels.dot(topology).encode()


def _mermaid(topology: Topology) -> bytes:
    from lab.draw import labels

    return labels.mermaid(topology).encode()


def _json(topology: Topology) -> bytes:
    from lab.formats import node_link

    return node_link.write(topology).encode()


def _yaml(topology: Topology) -> bytes:
    from lab.formats import lab_yaml

    return lab_yaml.write(topology).encode()


FORMS: dict[str, Callable[[Topology], bytes]] = {
    ".svg": _picture("svg"),
    ".png": _picture("png"),
    ".dot": _dot,
    ".mmd": _mermaid,
    ".json": _json,
    ".yaml": _yaml,
}
