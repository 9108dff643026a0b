"""lab report: runs as one page, made again from their stored samples; or the answers to the claims."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import ExitCode, RunError, UsageError

if TYPE_CHECKING:
    from lab.runs.run_folder import StoredRun


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders and packs. Several runs are compared.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The page. Default: report.html in the folder of a single run, or here."
        ),
    ] = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="Print only the answers to the studies' claims.")
    ] = False,
) -> None:
    """Draw the figures of runs again and write a page with them, without measuring anything.

    The page is one file. For several runs of one experiment it has their ratios, with intervals,
    and the differences between their machines.

    With --claims no page is written. The exit code is 3 if not one claim can be answered.

    Example: lab report results/* -o report.html
    """
    from lab.cli.console import read_runs
    from lab.util import files

    if claims and output:
        raise UsageError("--claims prints a table and writes no page; leave out -o")
    with ExitStack() as stack:
        found = read_runs(runs, stack)
        if claims:
            sys.exit(_answer(found))
        own = len(runs) == 1 and runs[0].is_dir()
        page = output or (files.within(runs[0], "report.html") if own else Path("report.html"))
        write_page(found, page)
    typer.echo(page)


def _can_draw(folder: Path) -> bool:
    """Return True if figures can be written beside a run; it may be root's, or an archive."""
    figures = folder / "figures"
    return os.access(figures if figures.exists() else folder, os.W_OK)


def _answer(runs: Sequence[StoredRun]) -> ExitCode:
    """Print every claim of the studies with its answer; returns the exit code."""
    from lab.app.request import all_claims
    from lab.cli.console import show
    from lab.report.claims import OPEN, scorecard, scorecard_table
    from lab.util.documents import guarded

    with guarded(", ".join(str(run.path) for run in runs), RunError):
        rows = scorecard(all_claims(), runs)
        table = scorecard_table(rows)
    show(table)
    return ExitCode.CANNOT_TELL if all(row.answer.verdict == OPEN for row in rows) else ExitCode.DONE


def write_page(runs: Sequence[StoredRun], page: Path) -> None:
    """Draw the figures of runs, and write one page of them.

    Raises:
        RunError: a run has what no page can be made of.
    """
    from lab.app.questions import answered
    from lab.app.request import all_claims, load_experiment
    from lab.report.html import RunSection, render_all
    from lab.util import files
    from lab.util.documents import guarded

    parts = []
    with ExitStack() as stack:
        for run in runs:
            experiment = load_experiment(run.manifest.experiment)
            folder = run.path / "figures"
            if not _can_draw(run.path):  # the page holds the figures anyway
                folder = Path(stack.enter_context(TemporaryDirectory()))
            with guarded(str(run.path), RunError):
                drawn = experiment.figures(run, folder) if run.samples else ()
            parts.append(RunSection(run, experiment, drawn))
        only = parts[0].experiment
        claims = all_claims() if len(parts) > 1 else {only.name: only.claims}
        with guarded(", ".join(str(part.run.path) for part in parts), RunError):
            files.put(page, render_all(parts, claims, answered(runs)))
