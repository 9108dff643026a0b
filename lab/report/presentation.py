"""The presenting part of an experiment's contract: its claims, its tables and its figures.

The measuring part is `lab.runs.experiment.Experiment`, which the engine runs and which does not import
reports. One subclass of `PresentedExperiment`, registered under the entry point group ``lab.experiments``,
is a whole experiment. If its metrics are tools between two endpoints, derive it from
`experiments.common.traffic.Traffic`, which has tables and figures already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from lab.report.claims import Claim
from lab.report.tables import Table
from lab.runs.experiment import Experiment
from lab.runs.run_folder import StoredRun


class PresentedExperiment(Experiment):
    """An experiment with its claims, and tables and figures of its stored samples; by default none."""

    #: Sentences of the studies about the question, as code.
    claims: ClassVar[Sequence[Claim]] = ()

    def tables(self, run: StoredRun) -> Sequence[Table]:
        """Return tables of the stored samples; they have no figure that was not measured."""
        return ()

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        """Draw the experiment's figures from stored samples and return the files made."""
        return ()
