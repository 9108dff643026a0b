"""Answers to the questions of studies: a sentence for each part, made of the answers to registered claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lab.errors import LabError, RunError
from lab.report import captions
from lab.report.claims import OPEN, REPRODUCED, Answer, CheckResult, Claim, ScorecardRow, Verdict, decide
from lab.report.registered import Question, QuestionPart
from lab.runs.run_folder import StoredRun
from lab.util.documents import guarded

#: Numbers of one claim in a sentence; the others are in the evidence.
MOST_NUMBERS = 3
#: Claims by their id, each with the experiment that tests it.
ById = Mapping[str, tuple[str, Claim]]


@dataclass(frozen=True)
class PartAnswer:
    """The outcome of one part in a sentence, and the claims that it is made of, each in one run."""

    verdict: Verdict
    sentence: str
    rows: Sequence[ScorecardRow]
    #: By run id: the experiment, the clock and the kernel of the run, and if it came with the lab.
    runs: Mapping[str, str]

    @property
    def evidence(self) -> list[str]:
        """A line per claim: its answer, its sentence, its numbers, and the run."""
        return [
            f"{row.answer.verdict}: {row.claim.text}"
            + (f": {numbers}" if (numbers := numbers_of(row)) else f": {row.evidence}")
            + (f" ({self.runs[row.run]})" if row.run else "")
            + (f"; {row.registration}" if numbers_of(row) and row.registration else "")
            for row in self.rows
        ]


@dataclass(frozen=True)
class QuestionAnswer:
    """A question with the answers to its parts."""

    question: Question
    parts: Sequence[PartAnswer]


def answer(
    question: Question, claims: ById, runs: Sequence[StoredRun], stored: Collection[str] = ()
) -> QuestionAnswer:
    """Answer a question from runs; where several can answer a claim, the first of them does.

    `stored` are the ids of those that came with the lab, and were not measured here.
    """
    return QuestionAnswer(question, [_part(part, claims, runs, stored) for part in question.parts])


def _part(part: QuestionPart, claims: ById, runs: Sequence[StoredRun], stored: Collection[str]) -> PartAnswer:
    rows = [_row(*claims[name], runs) for name in part.claims]
    verdict = decide([CheckResult(row.answer.verdict, "") for row in rows], part.need).verdict
    deciding = [row for row in rows if row.answer.verdict == verdict]
    if verdict == OPEN:
        sentence = f"{part.subject} cannot be told: {deciding[0].answer.text}; {part.tell}."
    else:
        template = part.reproduced if verdict == REPRODUCED else part.refuted
        numbers = {row.claim.id: numbers_of(row) for row in rows}
        found = "; ".join(filter(None, map(numbers_of, deciding)))
        sentence = template.format_map({**numbers, "found": found})
    by_id = {run.manifest.run: run for run in runs}
    words = {row.run: _about(by_id[row.run], row.run in stored) for row in rows if row.run}
    return PartAnswer(verdict, sentence, rows, words)


def _row(experiment: str, claim: Claim, runs: Sequence[StoredRun]) -> ScorecardRow:
    """Answer a claim in the first run that decides it, or else in the first one of its experiment."""
    own = [run for run in runs if run.manifest.experiment == experiment and run.samples]
    rows = [row for run in own if (row := _answered(claim, run))]
    missing = ScorecardRow(claim, "", Answer(OPEN, [CheckResult(OPEN, f"there is no run of {experiment}")]))
    return next((row for row in rows if row.answer.verdict != OPEN), rows[0] if rows else missing)


def _answered(claim: Claim, run: StoredRun) -> ScorecardRow | None:
    """Answer a claim in a run; None if it is an old one or a broken one that gives no answer."""
    try:
        with guarded(str(run.path), RunError):
            return ScorecardRow(claim, run.manifest.run, claim.answer(run), run.manifest.claims)
    except LabError:
        return None


def numbers_of(row: ScorecardRow) -> str:
    """Return the numbers that decide a claim, with their intervals and the subject of each."""
    found = [f"{one.number} ({one.label})" for one in row.answer.deciding if one.number]
    more = f" and {len(found) - MOST_NUMBERS} more" if len(found) > MOST_NUMBERS else ""
    return ", ".join(found[:MOST_NUMBERS]) + more


def _about(run: StoredRun, stored: bool) -> str:
    manifest = run.manifest
    kind = "run" if not stored else "not measured here: stored run"
    return f"{kind} {manifest.run} of {manifest.experiment}, {captions.rate(run)}"
