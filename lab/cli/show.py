"""lab show: a topology as a table, or as a picture in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Force, LargestComponent, Sites, TopologyName
from lab.cli.topologies import read_topology
from lab.draw.geometry import Layout
from lab.errors import FileError
from lab.topology import Topology
from lab.util import files

#: What a picture's file ends in.
FORMS = (".svg", ".png", ".dot", ".mmd", ".json", ".yaml")


def command(
    topology: TopologyName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file that ends in .svg, .png, .dot, .mmd, .json or .yaml."),
    ] = None,
    layout: Annotated[
        Layout | None,
        typer.Option(
            help="Hosts on the map, or by the structure of the links. Default: the map, if it is known."
        ),
    ] = None,
    force: Force = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Show a topology: hosts, links, addresses and expected round trips, or a picture.

    Example: python -m lab show linear -o chain.svg
    """
    if output is not None and output.suffix.lower() not in FORMS:
        raise FileError(f"{output}: a picture's file ends in {', '.join(FORMS)}")
    found = read_topology(topology, site, largest_component, switches=True)
    if output is None:
        _table(found)
    else:
        files.write({output: _picture(found, output.suffix.lower(), layout)}, force=force)


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


def _picture(topology: Topology, suffix: str, layout: Layout | None) -> bytes:
    """Return the content of a file with this suffix."""
    if suffix in (".svg", ".png"):
        from lab.draw import chart

        return chart.render(topology, suffix[1:], layout)
    if suffix in (".dot", ".mmd"):
        from lab.draw import labels

        text = labels.dot(topology) if suffix == ".dot" else labels.mermaid(topology)
        return text.encode()
    from lab.formats import lab_yaml, node_link

    text = node_link.write(topology) if suffix == ".json" else lab_yaml.write(topology)
    return text.encode()
