"""The scorecard as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from lab.report.claims import ScorecardRow, Verdict
from lab.report.tables import Section, Table


def table(lines: Sequence[ScorecardRow]) -> Table:
    """A row per claim and run: the answer, what was measured, the evidence or the reason."""
    counts = Counter(line.answer.verdict for line in lines)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    sections = [
        Section(
            f"{line.claim.text} ({line.claim.source})",
            [[line.answer.verdict, line.run or "–", line.claim.measured, line.answer.text]],
        )
        for line in lines
    ]
    notes = ["intervals of 95 % for all checks of a claim together; the bands are in the claims' modules"]
    return Table(f"scorecard: {words}", ["answer", "run", "measured", "evidence"], sections, notes)
