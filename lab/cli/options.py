"""Options and arguments that several verbs take alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from lab.errors import UsageError
from lab.topology import units

#: The units in which the lab calculates.
MS, MBIT = "ms", "Mbit/s"


def quantity(name: str, unit: str) -> Callable[[str | float], float]:
    """Return a parser of an option's value: a number in this unit, or with a unit of its own (``1Gbit``)."""

    def read(text: str | float) -> float:
        try:
            return units.number(str(text), unit)
        except ValueError as error:
            raise UsageError(f"--{name} {text}: {error}") from None

    return read


def chosen_lab(name: str, lab: str) -> str:
    """Return the lab that was named, as an argument or by ``--lab``.

    Raises:
        UsageError: both were given, and differ.
    """
    if name and lab and name != lab:
        raise UsageError(f"which lab, {name} or {lab}? give its name once")
    return name or lab


TopologyName: TypeAlias = Annotated[
    str, typer.Argument(help="A name (see 'lab list topologies'), NAME:key=value,…, or a file.")
]
TopologyOption: TypeAlias = Annotated[
    str, typer.Option("--topology", "-t", help="Name or file. Default: the experiment's own.")
]
Sites: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--site", help="For files: NAME=LAT,LON, one more site. Repeat for more."),
]
LargestComponent: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--largest-component",
        help="For files: drop what a topology cannot have, and keep the largest connected part.",
    ),
]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]
Strict: TypeAlias = Annotated[
    bool, typer.Option("--strict", help="Fail if the document exceeds a limit of the service.")
]
ExperimentName: TypeAlias = Annotated[
    str, typer.Argument(help="Name of an experiment; see 'lab list experiments'.")
]
Rate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        parser=quantity("rate", MBIT), metavar="RATE", help="Rate of every link: 50 (Mbit/s), 1Gbit, …"
    ),
]
RateOrAuto: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--rate", help="Rate of every link: 50 (Mbit/s), 1Gbit, …, or 'auto' for the highest that works."
    ),
]
ShaperName: TypeAlias = Annotated[str, typer.Option(help="What shapes the links: auto, netem or wire.")]
Daemons: TypeAlias = Annotated[
    str, typer.Option(help="'docker': a Docker daemon on each host; 'none': light hosts without Docker.")
]
HostTraces: TypeAlias = Annotated[
    Path | None, typer.Option("--trace", help="Write all commands to files, one per host.")
]
LabName: TypeAlias = Annotated[
    str, typer.Argument(help="Name of the lab. You can leave it out if only one lab is up.")
]
LabOption: TypeAlias = Annotated[str, typer.Option("--lab", "-l", help="Name of the lab, if several are up.")]
Place: TypeAlias = Annotated[
    str, typer.Argument(help="HOST, or HOST/OVERLAY for the endpoint of an overlay.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
InventoryFile: TypeAlias = Annotated[
    Path, typer.Option("--inventory", "-i", help="Which machine is which host; see 'lab testbed inventory'.")
]
AcceptNew: TypeAlias = Annotated[
    bool, typer.Option("--accept-new", help="Add keys of new hosts to known_hosts.")
]
TakeOver: TypeAlias = Annotated[
    bool, typer.Option("--take-over", help="Claim hosts that another user has claimed.")
]
ClockName = Annotated[
    str,
    typer.Option(
        "--clock",
        help="'real'; 'virtual', in which computing takes no time; or 'auto' for one that fits this machine.",
    ),
]
Costs = Annotated[
    list[str] | None,
    typer.Option("--cost", help="In virtual time: PROGRAM=µs per read or write, or upcall=µs."),
]
Boxes = Annotated[
    int,
    typer.Option(
        "--boxes", min=0, help="In virtual time: how many boxes run at a time. 0: one per processor."
    ),
]
IgnoreCalibration = Annotated[
    bool,
    typer.Option("--ignore-calibration", help="Measure although links are wrong. Marks every sample."),
]
KeepUp = Annotated[bool, typer.Option("--keep", help="Leave the lab up at the end.")]
OnLab = Annotated[
    str, typer.Option("--lab", "-l", help="Measure on this lab, which is up, with its links as they are.")
]
PromptFirst = Annotated[bool, typer.Option("--prompt", help="Open the mininet> prompt before measuring.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the cells and how long they take. Do nothing.")
]
On: TypeAlias = Annotated[
    str,
    typer.Option(
        "--on",
        help="Spread the run over machines: tcp://HOST:PORT, tls://HOST:PORT, local:N, ssh:FILE, slurm:N.",
    ),
]
Certificates: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of TLS certificates ('lab worker --make-certificates').")
]
Insecure: TypeAlias = Annotated[
    bool, typer.Option("--insecure", help="Accept a scheduler without TLS, on a network that only you reach.")
]
