"""lab testbed inventory: an inventory of real machines to fill in."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.options import Force, Output, TopologyName
from lab.cli.topologies import read_topology
from lab.util import files


def command(
    topology: TopologyName = "linear",
    output: Output = None,
    force: Force = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of inventories instead.")
    ] = False,
) -> None:
    """Write an inventory of real machines, to be filled in.

    An inventory says which machine is which host of a topology. Fill in the addresses. Put no
    passwords and no keys into it.

    Example: lab testbed inventory linear -o inventory.yaml
    """
    from lab.testbed import inventory

    text = inventory.schema() if schema else inventory.template(read_topology(topology), topology)
    if output is None:
        typer.echo(text, nl=False)
    else:
        files.write({output: text.encode()}, force=force)
