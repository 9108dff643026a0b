"""lab scorecard: what runs say about the claims of the studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, of one or more experiments.")],
) -> None:
    """Print every claim of the studies with its answer: reproduced, not reproduced, cannot be told.

    Each answer has its evidence with an interval, or the reason why there is none.

    Example: python -m lab scorecard results/*
    """
    from lab.app.run import all_claims, readable
    from lab.cli.console import show
    from lab.report.claims import scorecard, scorecard_table

    show(scorecard_table(scorecard(all_claims(), readable(runs))))
