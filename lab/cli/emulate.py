"""lab emulate: run an experiment on an emulated network of Docker hosts."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import (
    SPARES,
    ExperimentName,
    LargestComponent,
    Only,
    Overlays,
    ProfileName,
    Results,
    Resume,
    Seed,
    ShaperName,
    Sites,
    Spares,
    Weaver,
)
from lab.errors import MachineError

if TYPE_CHECKING:
    from lab.app import run


def command(
    experiment: ExperimentName,
    topology: Annotated[
        str, typer.Option("--topology", "-t", help="Name or file; the experiment's own by default.")
    ] = "",
    site: Sites = None,
    largest_component: LargestComponent = False,
    overlay: Overlays = None,
    profile: ProfileName = "quick",
    rate: Annotated[
        str | None,
        typer.Option(help="Rate of every link in Mbit/s; 'auto': the highest that this machine carries."),
    ] = None,
    repetitions: Annotated[
        int | None, typer.Option(help="Samples per cell, in place of the profile's.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds per sample, in place of the profile's.")
    ] = None,
    spares: Spares = SPARES,
    only: Only = None,
    seed: Seed = None,
    shaper: ShaperName = "auto",
    accept_links: Annotated[
        bool,
        typer.Option("--accept-links", help="Measure although links are off; marks every sample."),
    ] = False,
    on_fallback: Annotated[
        str,
        typer.Option(help="When an overlay's mode changes in a sample: 'mark' it, or 'relaunch' and repeat."),
    ] = "mark",
    weaver: Weaver = None,
    resume: Resume = None,
    results: Results = Path("results"),
    trace: Annotated[Path | None, typer.Option(help="Write every command to this file.")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print the cells and the time they take; do nothing.")
    ] = False,
    cli: Annotated[bool, typer.Option(help="Open the mininet> prompt before measuring.")] = False,
    lab: Annotated[
        str,
        typer.Option("--lab", "-l", help="Measure on this lab, which is up, with its links as they are."),
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up at the end.")] = False,
) -> None:
    """Run an experiment on Docker hosts with shaped links on this machine. Needs root.

    Builds the network, puts one overlay after the other on it, measures, and takes all of it
    away again. Samples are on disk one by one: an interrupted run goes on with --resume.

    Example: sudo python -m lab emulate multihop --overlay weave:mode=sleeve --rate 50
    """
    from lab.app import run
    from lab.topology import sites

    if weaver:
        os.environ["LAB_WEAVER"] = weaver
    asked = run.RunRequest(
        experiment=experiment,
        topology=topology,
        places=sites.parse_all(site or ()),
        largest_component=largest_component,
        overlays=tuple(overlay or ()),
        profile=profile,
        rate=rate,
        repetitions=repetitions,
        duration=duration,
        spares=spares,
        only=tuple(only or ()),
        seed=seed,
        shaper=shaper,
        accept_links=accept_links,
        on_fallback=on_fallback,
        resume=resume,
        results=results,
        trace=trace,
        prompt=cli,
        lab=lab,
        keep=keep,
    )
    if dry_run:
        run.show_plan(asked)
        return
    if os.geteuid() != 0:
        raise MachineError(f"emulate needs root: sudo {sys.executable} -m lab emulate {experiment}")
    sys.exit(_run(asked))


def _run(asked: run.RunRequest) -> int:
    """Run; what a signal ends is taken away as at the end."""
    from lab.app import run
    from lab.cli import standing
    from lab.util.signals import cancel_on_signal

    if asked.lab:
        return standing.emulate(asked)
    try:
        return asyncio.run(cancel_on_signal(run.emulate(asked)))
    except asyncio.CancelledError:
        print("lab: interrupted; everything was taken away", file=sys.stderr)
        return 130
