"""Two runs of one definition: the answers to its claims side by side, and if they are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from lab.report.claims import OPEN, Answer, Claim
from lab.report.selection import NOTHING
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun

Agreement = Literal["the same answer", "another answer", "cannot be told"]


@dataclass(frozen=True)
class AnswerPair:
    """A claim, and its answers in a run and in the run that repeats it; both by the rules of this version."""

    claim: Claim
    theirs: Answer
    ours: Answer

    @property
    def agreement(self) -> Agreement:
        """The same or another answer; it cannot be told where one of the two runs has none."""
        if OPEN in (self.theirs.verdict, self.ours.verdict):
            return "cannot be told"
        return "the same answer" if self.theirs.verdict == self.ours.verdict else "another answer"


def pairs(claims: Sequence[Claim], theirs: StoredRun, ours: StoredRun) -> list[AnswerPair]:
    """Answer claims in both runs."""
    return [AnswerPair(claim, claim.answer(theirs), claim.answer(ours)) for claim in claims]


def table(found: Sequence[AnswerPair], theirs: StoredRun, ours: StoredRun) -> Table:
    """Make a table of answers: a section per claim, with the figures of both runs and their intervals."""
    counts = Counter(pair.agreement for pair in found)
    words = ", ".join(f"{counts[one]} {one}" for one in get_args(Agreement))
    columns = ["", f"run {theirs.manifest.run}", f"run {ours.manifest.run}, here"]
    sections = [
        Section(f"{pair.agreement}: {pair.claim.text} ({pair.claim.source})", _rows(pair)) for pair in found
    ]
    return Table(f"claims in both runs: {words}", columns, sections, ["intervals of 95 % over bring-ups"])


def _rows(pair: AnswerPair) -> list[list[str]]:
    answers = (pair.theirs, pair.ours)
    rows = [["answer", *(answer.verdict for answer in answers)]]
    figures = [{one.label: one.number for one in answer.findings if one.number} for answer in answers]
    labels = dict.fromkeys(label for own in figures for label in own)
    rows += [[label, *(own.get(label, NOTHING) for own in figures)] for label in labels]
    if pair.agreement == "cannot be told":
        rows.append(["reason", *(answer.text if answer.verdict == OPEN else "" for answer in answers)])
    return rows
