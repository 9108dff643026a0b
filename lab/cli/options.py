"""Options and arguments that several verbs take alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

TopologyName: TypeAlias = Annotated[
    str, typer.Argument(help="Name ('lab list topologies'), NAME:key=value,…, or a file.")
]
TopologyOption: TypeAlias = Annotated[
    str, typer.Option("--topology", "-t", help="Name or file; the experiment's own by default.")
]
Sites: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--site", help="For files: NAME=LAT,LON, a site beyond the known ones."),
]
LargestComponent: TypeAlias = Annotated[
    bool, typer.Option(help="For files: reduce a graph to what a topology can hold.")
]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]
Force: TypeAlias = Annotated[bool, typer.Option(help="Overwrite the file.")]
Strict: TypeAlias = Annotated[bool, typer.Option(help="Refuse what runs into a limit of the service.")]
ExperimentName: TypeAlias = Annotated[
    str, typer.Argument(help="Which experiment; 'lab list experiments' names them.")
]
Rate: TypeAlias = Annotated[float | None, typer.Option(help="Rate of every link in Mbit/s.")]
ShaperName: TypeAlias = Annotated[str, typer.Option(help="auto, netem or wire.")]
Daemons: TypeAlias = Annotated[
    str, typer.Option(help="'docker': a Docker daemon on each host; 'none': light hosts, namespaces alone.")
]
HostTraces: TypeAlias = Annotated[
    Path | None, typer.Option("--trace", help="Write every command to files of this name, one per host.")
]
LabName: TypeAlias = Annotated[str, typer.Argument(help="Which lab; needed only where several are up.")]
LabOption: TypeAlias = Annotated[str, typer.Option("--lab", "-l", help="Which lab, where several are up.")]
Place: TypeAlias = Annotated[str, typer.Argument(help="HOST, or HOST/ENDPOINT: an overlay's name.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
InventoryFile: TypeAlias = Annotated[
    Path, typer.Option("--inventory", "-i", help="Which machine is which host; see 'lab inventory'.")
]
AcceptNew: TypeAlias = Annotated[
    bool, typer.Option(help="Write the keys of hosts that were never seen into known_hosts.")
]
Steal: TypeAlias = Annotated[bool, typer.Option(help="Take the hosts over from whoever has claimed them.")]
ClockName = Annotated[
    str, typer.Option("--clock", help="'real', or 'virtual': time that stands still while programs compute.")
]
Costs = Annotated[
    list[str] | None,
    typer.Option("--cost", help="Virtual time: PROGRAM=µs for each of its reads and writes, or upcall=µs."),
]
Boxes = Annotated[
    int, typer.Option("--boxes", min=0, help="Virtual time: boxes at a time at most; 0: one per processor.")
]
AcceptLinks = Annotated[
    bool, typer.Option("--accept-links", help="Measure although links are off; marks every sample.")
]
KeepUp = Annotated[bool, typer.Option("--keep", help="Leave the lab up at the end.")]
OnLab = Annotated[
    str, typer.Option("--lab", "-l", help="Measure on this lab, which is up, with its links as they are.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the cells and the time they take; do nothing.")
]
