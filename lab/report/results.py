"""What a run's folder becomes once it is measured: tables, figures and a page, from its samples alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.base import Experiment
from lab.report.tables import Table
from lab.runs.folder import read

FIGURES = "figures"


@dataclass(frozen=True)
class Results:
    """Tables to show, and the files that were written."""

    tables: Sequence[Table]
    files: Sequence[Path]


def write(experiment: Experiment, folder: Path) -> Results:
    """Draw the figures and the page of a run folder, complete or not, and return its tables.

    Raises:
        RunError: no run folder, or one of another schema.
    """
    run = read(folder)
    figures = experiment.figures(run, folder / FIGURES)
    return Results(experiment.tables(run), figures)
