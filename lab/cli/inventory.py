"""lab inventory: an inventory of real machines to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab import catalog
from lab.cli.export_dsl import tell
from lab.util import files


def command(
    topology: Annotated[
        str, typer.Argument(help="Name ('lab list topologies'), NAME:key=value,…, or a file.")
    ] = "linear",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite the file.")] = False,
    schema: Annotated[bool, typer.Option(help="Print the JSON Schema of inventories instead.")] = False,
) -> None:
    """Print an inventory of real machines to fill in: which machine is which host of a topology.

    Addresses are to be filled in; every port says what it leads to. No secret belongs into it.

    Example: python -m lab inventory linear > inventory.yaml
    """
    from lab.testbed import inventory

    text = (
        inventory.schema() if schema else inventory.template(catalog.topology(topology, emit=tell), topology)
    )
    if output is None:
        typer.echo(text, nl=False)
    else:
        files.write({output: text.encode()}, force=force)
