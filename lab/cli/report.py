"""lab report: runs as one page, made again from their stored samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.errors import RunError


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; several stand side by side.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page; of one run its report.html, else ./report.html."),
    ] = None,
) -> None:
    """Draw the figures of runs again and write one self-contained page of them.

    Nothing is measured. Of several runs of one experiment the page has the ratios with their
    intervals and what was different in the environment; and the scorecard of all claims.

    Example: python -m lab report results/* -o report.html
    """
    from lab.app.request import all_claims, load_experiment
    from lab.cli.console import read_runs
    from lab.report.html import PAGE, RunSection, render_all
    from lab.util import files
    from lab.util.documents import guarded

    parts = []
    for run in read_runs(runs):
        experiment = load_experiment(run.manifest.experiment)
        with guarded(str(run.path), RunError):
            drawn = experiment.figures(run, run.path / "figures") if run.samples else ()
        parts.append(RunSection(run, experiment, [file for file in drawn if file.suffix == ".svg"]))
    only = parts[0].experiment
    claims = all_claims() if len(parts) > 1 else {only.name: only.claims}
    page = output or (runs[0] / PAGE if len(runs) == 1 else Path(PAGE))
    with guarded(", ".join(str(part.run.path) for part in parts), RunError):
        files.put(page, render_all(parts, claims))
    typer.echo(page)
