"""lab graph: a topology as a picture in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from lab.cli.options import Force, LargestComponent, Sites, TopologyName
from lab.cli.topologies import read_topology
from lab.draw.geometry import Layout
from lab.errors import FileError
from lab.topology import Topology
from lab.util import files

#: What a picture's file ends in. The last two are no pictures, but were written by this verb before `export`.
FORMS = (".svg", ".png", ".dot", ".mmd", ".json", ".yaml")

LayoutOption: TypeAlias = Annotated[
    Layout | None,
    typer.Option(
        help="Hosts on the map, or by the structure of the links. Default: the map, if it is known."
    ),
]


def command(
    topology: TopologyName,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A file that ends in .svg, .png, .dot or .mmd. Default: NAME.svg."
        ),
    ] = None,
    layout: LayoutOption = None,
    force: Force = False,
    site: Sites = None,
    largest_component: LargestComponent = False,
) -> None:
    """Draw a topology, with the round trip and the rate of each link.

    Example: lab graph linear -o chain.svg
    """
    if output is not None and output.suffix.lower() not in FORMS:
        raise FileError(f"{output}: a picture's file ends in {', '.join(FORMS[:4])}")
    found = read_topology(topology, site, largest_component, switches=True)
    file = output or Path(re.sub(r"[^A-Za-z0-9_.-]+", "-", found.name).strip("-.") + ".svg")
    files.write({file: picture(found, file.suffix.lower(), layout)}, force=force)
    if output is None:
        typer.echo(file)


def picture(topology: Topology, suffix: str, layout: Layout | None = None) -> bytes:
    """Return the content of a file with this suffix."""
    if suffix in (".svg", ".png"):
        from lab.draw import chart

        return chart.render(topology, suffix[1:], layout)
    if suffix in (".dot", ".mmd"):
        from lab.draw import labels

        text = labels.dot(topology) if suffix == ".dot" else labels.mermaid(topology)
        return text.encode()
    from lab.cli.export import text_of

    return text_of(topology, suffix[1:]).encode()
