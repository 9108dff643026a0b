"""Claims of the studies as code: what is measured, the test, and the answer with its interval.

A claim is divided into checks, e.g. one per overlay. A check has a quantity with its confidence
interval, and the band in which the claim says that it lies. The answer depends on these alone:

- *reproduced*: every check's interval lies within its band;
- *not reproduced*: some check's interval lies wholly outside;
- *cannot be told*: neither, with the reason: too few bring-ups, none that is valid, not measured
  here, or an interval that is partly within its band.

A claim of which all checks must hold needs no wider intervals: each of them is tested at its own 95 %,
and all have to pass (Berger's intersection-union test, Technometrics 24, 1982). That one of many fails is
found with intervals that are widened (Bonferroni). Where a claim says that *some* checks hold it is the
other way round.

An answer may not depend on which samples count: where all of them, also those that a verdict lets not
count, give another one, it is *cannot be told*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Literal, get_args

from lab.published import CONTROL, OTHER_MODES, studied
from lab.report import captions
from lab.report.selection import Group, decided_number, measured_overlays
from lab.report.statistics import (
    CONFIDENCE,
    ENOUGH_FOR_INTERVAL,
    Estimate,
    change,
    location,
    ratio,
)
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Verdict as SampleVerdict
from lab.util.files import sha256

Verdict = Literal["reproduced", "not reproduced", "cannot be told"]
REPRODUCED: Verdict = "reproduced"
REFUTED: Verdict = "not reproduced"
OPEN: Verdict = "cannot be told"
Need = Literal["all", "some"]
Comparison = Callable[[Sequence[float], Sequence[float], float], Estimate | None]


@dataclass(frozen=True)
class Band:
    """The range in which a claim says that a quantity lies."""

    low: float = -inf
    high: float = inf

    def __str__(self) -> str:
        if self.low == -inf:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == inf else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Check:
    """One quantity that a claim is about.

    `estimate` takes a confidence (0 to 1) and returns the quantity with its interval, or None;
    `reason` says why there can be none. `unit` is printed after the figures.
    """

    label: str
    band: Band
    estimate: Callable[[float], Estimate | None] = lambda confidence: None
    reason: str = ""
    unit: str = ""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of a check, in words; `number` is the quantity of `label` with its interval."""

    verdict: Verdict
    text: str
    number: str = ""
    label: str = ""


#: What follows a ratio, where nothing else is said.
TIMES_AS_MUCH = "times as much"
#: What would tell where no sample counts.
SLOWER = "a lower --rate, a quiet machine, or --clock virtual would tell"
#: The checks of a claim, and the results of those that are decided already.
Checks = Sequence[Check | CheckResult]


def undecided(text: str) -> CheckResult:
    """Return the result of a check that is left open, with the reason."""
    return CheckResult(OPEN, text)


@dataclass(frozen=True)
class Answer:
    """The outcome of a claim in one run."""

    verdict: Verdict
    findings: Sequence[CheckResult]

    @property
    def text(self) -> str:
        """The evidence: the findings that have the answer's verdict."""
        return "; ".join(f.text for f in self.findings if f.verdict == self.verdict)

    @property
    def deciding(self) -> Sequence[CheckResult]:
        """The findings that have the answer's verdict; first those with a number."""
        own = [finding for finding in self.findings if finding.verdict == self.verdict]
        return sorted(own, key=lambda finding: not finding.number)


@dataclass(frozen=True)
class Claim:
    """A sentence of a study, and the checks that test it in a run of its experiment."""

    text: str
    source: str
    measured: str
    checks: Callable[[StoredRun], Checks]
    #: The command that makes a run of its experiment, where that is not ``run``.
    command: str = ""
    #: Do all checks have to hold, or some of them.
    need: Need = "all"
    #: True if it is about every mode of an overlay, and not of those alone that the studies measured.
    every_mode: bool = False
    #: The file in which it is registered (`lab.report.registered`).
    file: Path | None = None
    #: What here differs from the study, so that no answer would be about its claim; empty for nothing.
    differs: str = ""
    #: Its name in that file.
    id: str = ""

    def answer(self, run: StoredRun) -> Answer:
        """Answer the claim from the samples of this run; one that depends on which of them count is none."""
        counted = self._answer(run)
        if counted.verdict == OPEN or all(sample.valid for sample in run.samples if sample.measured):
            return counted
        of_all = self._answer(_with_all(run))
        if of_all.verdict == counted.verdict:
            return counted
        words = f"it depends on which samples count: {counted.verdict} by those that do ({counted.text})"
        number, label = (counted.deciding[0].number, counted.deciding[0].label)
        return Answer(
            OPEN, [CheckResult(OPEN, f"{words}, {of_all.verdict} by all ({of_all.text})", number, label)]
        )

    def _answer(self, run: StoredRun) -> Answer:
        checks = self.checks(run)
        if not checks:
            missing = "; ".join(captions.lacking(run))
            return Answer(OPEN, [undecided(missing or "the run has no samples for it")])
        wide = 1 - (1 - CONFIDENCE) / len(checks)
        inside, outside = (CONFIDENCE, wide) if self.need == "all" else (wide, CONFIDENCE)
        findings = [c if isinstance(c, CheckResult) else judge(c, inside, outside) for c in checks]
        if not self.every_mode:
            findings = [_excuse_other_mode(run, finding) for finding in findings]
        if self.differs:
            findings = [self._excuse(finding) for finding in findings]
        return decide(findings, self.need)

    def _excuse(self, finding: CheckResult) -> CheckResult:
        return finding if finding.verdict == OPEN else _left_open(finding, self.differs)


def _with_all(run: StoredRun) -> StoredRun:
    """Return a run in which every sample counts that measured something."""
    counting = {"verdict": SampleVerdict()}
    return replace(run, samples=[s.model_copy(update=counting) if s.measured else s for s in run.samples])


def judge(check: Check, inside: float = CONFIDENCE, outside: float = CONFIDENCE) -> CheckResult:
    """Compare one check's interval with its band, and return the result.

    `inside` and `outside` are the confidences with which it has to lie within the band, or without.
    """
    if check.reason:
        return undecided(f"{check.label}: {check.reason}")
    found, wide = check.estimate(inside), check.estimate(outside)
    if found is None or wide is None:
        return undecided(f"{check.label}: too few bring-ups, or nothing to divide by")
    within = check.band.low <= found.low and found.high <= check.band.high
    without = wide.high < check.band.low or wide.low > check.band.high
    verdict = REPRODUCED if within else REFUTED if without else OPEN
    found = wide if without else found
    number = decided_number(found) + (f" {check.unit}" if check.unit else "")
    words = f"{check.label}: {number}, claimed {check.band}"
    words += "" if verdict != OPEN else ", which the interval does not decide; more bring-ups would"
    return CheckResult(verdict, words, number, check.label)


def _left_open(finding: CheckResult, reason: str) -> CheckResult:
    return replace(finding, verdict=OPEN, text=f"{finding.text}; but {reason}")


def _excuse_other_mode(run: StoredRun, finding: CheckResult) -> CheckResult:
    """Leave a check open if its overlay ran in a mode that the studies did not measure: it says neither."""
    if finding.verdict != OPEN:
        for name in measured(run):
            label = captions.with_mode(run, name)
            for (overlay, mode), instead in OTHER_MODES.items():
                if name.startswith(overlay) and mode in label and finding.text.startswith(label):
                    return _left_open(finding, instead)
    return finding


def decide(findings: Sequence[CheckResult], need: Need = "all") -> Answer:
    """Return one answer for all checks: refuted if one is, else open if one is, else reproduced.

    If some are enough it is the other way round: reproduced if one is, else open if one is, else refuted.
    """
    found = {finding.verdict for finding in findings}
    first, last = (REFUTED, REPRODUCED) if need == "all" else (REPRODUCED, REFUTED)
    verdict = next((v for v in (first, OPEN) if v in found), last)
    return Answer(verdict, findings)


def lacking(group: Group, what: str) -> str:
    """Return the reason why a group of samples gives no interval; "" when it gives one."""
    if group.lost:
        total = group.lost + len(group.entries)
        return f"{what}: the traffic of {group.lost} of {total} samples collapsed, which have no figure"
    if len(group.blocks) >= ENOUGH_FOR_INTERVAL:
        return ""
    if group.invalid and not group.valid:
        words = (
            f"{what} has no valid sample of {len(group.invalid)}: this machine or the overlay set the pace"
        )
        return f"{words}; {SLOWER}"
    if not group.valid:
        return f"{what} was not measured"
    return f"{what} has valid samples of {len(group.blocks)} bring-ups, {ENOUGH_FOR_INTERVAL} are needed"


def compare(
    label: str,
    band: Band,
    one: tuple[str, Group],
    other: tuple[str, Group],
    by: Comparison = ratio,
    unit: str = TIMES_AS_MUCH,
) -> Check:
    """Return a check that compares two named groups of samples, by `statistics.ratio` or `difference`."""
    reason = lacking(one[1], one[0]) or lacking(other[1], other[0])
    return Check(label, band, lambda confidence: by(one[1].means, other[1].means, confidence), reason, unit)


def against_control(run: StoredRun, band: Band, group: Callable[[str], tuple[str, Group]]) -> Checks:
    """Return a check per studied overlay, of its samples as a multiple of the control's.

    `group` takes an overlay, and returns a name for its samples and the samples.
    """
    control, unit = group(CONTROL), f"of the {CONTROL}'s"
    return [
        compare(captions.with_mode(run, name), band, group(name), control, ratio, unit)
        for name in measured(run, CONTROL)
    ]


def check_group(
    label: str,
    band: Band,
    group: Group,
    unit: str = "",
    by: Callable[[Sequence[float], float], Estimate | None] = location,
) -> Check:
    """Return a check of one group of samples, by `statistics.location` or `statistics.spread`."""
    return Check(label, band, lambda confidence: by(group.means, confidence), lacking(group, label), unit)


@dataclass(frozen=True)
class Trending:
    """Samples that a claim says rise or fall with what was varied, by bring-up; or the reason for none."""

    label: str
    #: By bring-up, pairs of what was varied and what was measured.
    points: Mapping[int, Sequence[tuple[float, float]]]
    reason: str = ""

    @classmethod
    def over(cls, label: str, groups: Mapping[int, Group], unit: str) -> Trending:
        """Collect the valid samples of groups; the key of each group is the varied quantity, in `unit`.

        A bring-up that lacks one of these tells nothing of the trend, and is left out.
        """
        reasons = [lacking(group, f"{place} {unit}") for place, group in groups.items()]
        points: dict[int, list[tuple[float, float]]] = {}
        for place, group in groups.items():
            for number, values in group.by_bring_up.items():
                points.setdefault(number, []).extend((float(place), value) for value in values)
        whole = {n: row for n, row in points.items() if len({x for x, _ in row}) == len(groups)}
        return cls(label, whole, next(filter(None, reasons), ""))


def check_trends(rows: Sequence[Trending], band: Band) -> Checks:
    """Check by how much each row changes over what was varied, as a share of its mean."""
    return [_trend(row, band) for row in rows]


def _trend(row: Trending, band: Band) -> Check:
    found = [change(points) for points in row.points.values()]
    known = [one for one in found if one is not None]
    lack = f"{len(known)} bring-ups have all places, {ENOUGH_FOR_INTERVAL} are needed"
    reason = row.reason or ("" if len(known) >= ENOUGH_FOR_INTERVAL else lack)
    unit = "of the mean, from the minimum to the maximum"
    return Check(row.label, band, lambda confidence: location(known, confidence), reason, unit)


def measured(run: StoredRun, *besides: str) -> list[str]:
    """Return the overlays with samples that the studies measured too, without those in `besides`."""
    return [name for name in measured_overlays(run) if studied(name) and name not in besides]


@dataclass(frozen=True)
class ScorecardRow:
    """A claim and its answer in a run; `run` is empty if there is no run of the claim's experiment.

    `stored` has the checksums of files of claims when the run began, by name.
    """

    claim: Claim
    run: str
    answer: Answer
    stored: Mapping[str, str] | None = None
    #: Sentences about what the run lacks, with the reasons.
    lacking: Sequence[str] = ()

    @property
    def evidence(self) -> str:
        """The evidence or the reason, and a word where the claim may be another one than before the run."""
        return "; ".join(filter(None, (self.answer.text, self.registration)))

    @property
    def registration(self) -> str:
        """Say if the claim may be newer than the run; "" if its file is as it was, or if there is none."""
        if self.claim.file is None or self.stored is None:
            return ""
        name = self.claim.file.name
        before = self.stored.get(name)
        if before == sha256(self.claim.file):
            return ""
        changed = f"{name}, the file of this claim, was changed after the run began"
        reason = changed if before else f"the run has no checksum of {name}, the file of this claim"
        return f"{reason}: the numbers are as measured, but the claim or its limits may be newer than the run"


def scorecard(claims: Mapping[str, Sequence[Claim]], runs: Sequence[StoredRun]) -> list[ScorecardRow]:
    """Answer the claims of each experiment in each of its runs; a claim without a run gets one row."""
    rows = []
    for name, own_claims in claims.items():
        own_runs = [run for run in runs if run.manifest.experiment == name]
        for claim in own_claims:
            by = f"lab {claim.command or f'run {name}'}"
            missing = Answer(OPEN, [undecided(f"no run of {name}; make one with '{by}'")])
            rows += [
                ScorecardRow(
                    claim,
                    run.manifest.run,
                    claim.answer(run),
                    run.manifest.claims,
                    captions.not_measured(run),
                )
                for run in own_runs
            ]
            rows += [] if own_runs else [ScorecardRow(claim, "", missing)]
    return rows


def scorecard_table(rows: Sequence[ScorecardRow], *, alone: bool = True) -> Table:
    """Make a table of the scorecard: the answer, what was measured, the evidence or the reason.

    Reasons for what runs lack are below it once where it stands `alone`; other tables of a run have them.
    """
    counts = Counter(row.answer.verdict for row in rows)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    sections = [
        Section(
            f"{row.claim.text} ({row.claim.source})",
            [[row.answer.verdict, row.run or "–", row.claim.measured, row.evidence]],
        )
        for row in rows
    ]
    lacks = {sentence: row.run for row in rows for sentence in row.lacking} if alone else {}
    notes = ["intervals of 95 %, wider where one of several checks decides alone"]
    notes += [f"run {run}: {sentence}" for sentence, run in lacks.items()]
    return Table(f"claims: {words}", ["answer", "run", "measured", "evidence"], sections, notes)
