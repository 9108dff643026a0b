"""lab packetcost: the instructions of a datagram through the kernel, counted in a machine of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.process import wait


def command(
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--overlay", "-o", help="A path: underlay, vxlan, libnetwork or flannel; again for more."
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="'quick' (two boots) or 'paper' (ten).")] = "quick",
    repetitions: Annotated[int | None, typer.Option(help="Boots, in place of the profile's.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only cells whose key has this in it.")] = None,
    profile_code: Annotated[
        bool, typer.Option("--profile-code", help="Also count by function: two more boots per path.")
    ] = False,
    kernel: Annotated[
        Path | None, typer.Option(help="File of another linux-image package than the pinned one.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    results: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("results"),
) -> None:
    """Count the instructions of datagrams and of TCP's bytes on the paths of overlays. Needs no root.

    Boots a small machine in QEMU whose clock is its instructions. Every boot counts the same, whatever
    else this machine does; two of them take about a minute on two processors.

    Example: python -m lab packetcost --overlay underlay --overlay libnetwork --profile-code
    """
    from lab.app import boxed
    from lab.app.request import RunRequest
    from lab.cli.console import progress, show_results
    from lab.report.presentation import PresentedExperiment

    request = RunRequest(
        "packetcost",
        verb="packetcost",
        overlays=tuple(path or ()),
        profile=profile,
        bring_ups=repetitions,
        only=tuple(only or ()),
        resume=resume,
        results=results,
    )
    plan = boxed.plan(request)
    with progress() as emit:
        status, folder = wait(boxed.count(request, plan, emit, kernel, profile_code))
    assert isinstance(plan.experiment, PresentedExperiment)
    sys.exit(max(status, show_results(plan.experiment, folder)))
