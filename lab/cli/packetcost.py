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
        typer.Option("--overlay", help="A path: underlay, vxlan, libnetwork or flannel. Repeat for more."),
    ] = None,
    profile: Annotated[str, typer.Option(help="'quick' (two boots) or 'paper' (ten).")] = "quick",
    repetitions: Annotated[int | None, typer.Option(help="Number of boots.")] = None,
    cells: Annotated[
        list[str] | None, typer.Option(help="Only cells whose key contains this. Repeat for more.")
    ] = None,
    profile_code: Annotated[
        bool, typer.Option("--profile-code", help="Count by function too. Takes two more boots per path.")
    ] = False,
    kernel: Annotated[Path | None, typer.Option(help="Another linux-image package.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run folder.")] = None,
    results: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("results"),
) -> None:
    """Count the instructions of a packet through the kernel, per overlay.

    Needs no root. It boots a small machine in QEMU, whose clock counts instructions. Every boot
    counts the same, even if this machine has other work. Two boots take about a minute.

    Example: lab packetcost --overlay underlay --overlay libnetwork --profile-code
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
        only=tuple(cells or ()),
        resume=resume,
        results=results,
    )
    plan = boxed.plan(request)
    with progress() as emit:
        status, folder = wait(boxed.count(request, plan, emit, kernel, profile_code))
    assert isinstance(plan.experiment, PresentedExperiment)
    sys.exit(max(status, show_results(plan.experiment, folder)))
