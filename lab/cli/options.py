"""Options and arguments that several verbs take alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

#: How many samples more a cell gets at most, for such that do not count.
SPARES = 2

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
ExperimentName: TypeAlias = Annotated[
    str, typer.Argument(help="Which experiment; 'lab list experiments' names them.")
]
Overlays: TypeAlias = Annotated[
    list[str] | None, typer.Option("--overlay", "-o", help="NAME[:option=value,…], again for more, or 'all'.")
]
ProfileName: TypeAlias = Annotated[
    str, typer.Option(help="'quick' (minutes) or 'paper' (as often and as long as in 2016).")
]
Repetitions: TypeAlias = Annotated[int | None, typer.Option(help="Samples per cell.")]
Duration: TypeAlias = Annotated[float | None, typer.Option(help="Seconds per sample.")]
Spares: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Samples more per cell at most, for such that do not count.")
]
Only: TypeAlias = Annotated[list[str] | None, typer.Option(help="Only cells whose key has this in it.")]
Seed: TypeAlias = Annotated[int | None, typer.Option(help="For the order of the cells.")]
ShaperName: TypeAlias = Annotated[str, typer.Option(help="auto, netem or wire.")]
OnFallback: TypeAlias = Annotated[
    str, typer.Option(help="When an overlay's mode changes in a sample: 'mark' or 'relaunch'.")
]
Weaver: TypeAlias = Annotated[str | None, typer.Option(help="A Weave router to use, in place of LAB_WEAVER.")]
Resume: TypeAlias = Annotated[Path | None, typer.Option(help="Go on with this run folder.")]
Results: TypeAlias = Annotated[Path, typer.Option(help="Where run folders are made.")]
