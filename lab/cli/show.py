"""lab show: a topology as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli import former, graph
from lab.cli.options import LargestComponent, Sites, TopologyName
from lab.cli.topologies import read_topology
from lab.topology import Topology


def command(
    topology: TopologyName,
    site: Sites = None,
    largest_component: LargestComponent = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", hidden=True)] = None,
    force: Annotated[bool, typer.Option("--force", hidden=True)] = False,
) -> None:
    """Show a topology as a table: hosts, links, addresses and expected round trips.

    'lab graph' draws it.

    Example: lab show linear
    """
    if output is not None:
        former.tell("show -o", "graph -o")
        graph.command(topology, output, None, force, site, largest_component)
        return
    _print(read_topology(topology, site, largest_component, switches=True))


def _print(topology: Topology) -> None:
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
