"""Options and arguments that several verbs take alike."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

TopologyName: TypeAlias = Annotated[
    str, typer.Argument(help="Name ('lab list topologies'), NAME:key=value,…, or a file.")
]
Sites: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--site", help="For files: NAME=LAT,LON, a site beyond the known ones."),
]
LargestComponent: TypeAlias = Annotated[
    bool, typer.Option(help="For files: reduce a graph to what a topology can hold.")
]
