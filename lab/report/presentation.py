"""The presenting part of an experiment's contract: its claims, its tables and its figures.

The measuring part is `lab.runs.experiment.Experiment`, which the engine runs and which knows no report.
Registered under the entry point group ``lab.experiments``, one subclass of `PresentedExperiment` is a whole
experiment. Where its metrics are tools between two endpoints, derive it from
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
    """An experiment with what it says about its stored samples; by default that is nothing."""

    #: Sentences of the studies about the question, as code.
    claims: ClassVar[Sequence[Claim]] = ()

    def tables(self, run: StoredRun) -> Sequence[Table]:
        """Return tables of the stored samples; nothing that was not measured stands in them."""
        return ()

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        """Draw the experiment's figures from stored samples and return the files made."""
        return ()
