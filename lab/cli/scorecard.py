"""lab scorecard: the claims of the studies, and what runs say about each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.errors import RunError


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, of one or more experiments.")],
) -> None:
    """Print every claim of the studies with its answer: reproduced, not reproduced, cannot be told.

    Each answer has its evidence with an interval, or the reason why there is none.

    Example: python -m lab scorecard results/*
    """
    from lab.app.request import all_claims
    from lab.cli.console import read_runs, show
    from lab.report.claims import scorecard, scorecard_table
    from lab.util.documents import guarded

    found = read_runs(runs)
    with guarded(", ".join(str(run.path) for run in found), RunError):
        table = scorecard_table(scorecard(all_claims(), found))
    show(table)
