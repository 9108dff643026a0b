"""Claims of the studies as code: what is measured, the test, and the answer with its interval.

A claim is divided into checks, e.g. one per overlay. A check has a quantity with its confidence
interval, and the band in which the claim says that it lies. The answer depends on these alone:

- *reproduced*: every check's interval lies within its band;
- *not reproduced*: some check's interval lies wholly outside;
- *cannot be told*: neither, with the reason: too few samples, none that is valid, not measured
  here, or an interval that is partly within its band.

With several checks each interval is widened (Bonferroni), so that the confidence for all of them
together is 95 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from lab.published import CONTROL, OTHER_MODES, studied
from lab.report import captions
from lab.report.selection import Group, measured_overlays
from lab.report.statistics import (
    CONFIDENCE,
    ENOUGH_FOR_INTERVAL,
    Estimate,
    Trend,
    corrected,
    location,
    ratio,
    trend,
)
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun

Verdict = Literal["reproduced", "not reproduced", "cannot be told"]
REPRODUCED: Verdict = "reproduced"
REFUTED: Verdict = "not reproduced"
OPEN: Verdict = "cannot be told"
#: p below which a trend counts as one, after the correction for the number of tests.
SIGNIFICANT = 1 - CONFIDENCE
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
    """The outcome of a check, in words."""

    verdict: Verdict
    text: str


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


@dataclass(frozen=True)
class Claim:
    """A sentence of a study, and the checks that test it in a run of its experiment."""

    text: str
    source: str
    measured: str
    checks: Callable[[StoredRun], Checks]
    #: The command that makes a run of its experiment, where that is not ``emulate``.
    command: str = ""

    def answer(self, run: StoredRun) -> Answer:
        """Answer the claim from the samples of this run."""
        checks = self.checks(run)
        if not checks:
            missing = "; ".join(captions.not_measured(run))
            return Answer(OPEN, [undecided(missing or "the run has nothing that it speaks of")])
        confidence = 1 - (1 - CONFIDENCE) / len(checks)
        findings = [c if isinstance(c, CheckResult) else judge(c, confidence) for c in checks]
        return decide([_excuse_other_mode(run, finding) for finding in findings])


def judge(check: Check, confidence: float = CONFIDENCE) -> CheckResult:
    """Compare one check's interval with its band, and return the result."""
    if check.reason:
        return undecided(f"{check.label}: {check.reason}")
    found = check.estimate(confidence)
    if found is None:
        return undecided(f"{check.label}: too few samples, or a zero among them")
    inside = check.band.low <= found.low and found.high <= check.band.high
    outside = found.high < check.band.low or found.low > check.band.high
    verdict = REPRODUCED if inside else REFUTED if outside else OPEN
    unit = f" {check.unit}" if check.unit else ""
    words = f"{check.label}: {found.value:.3g} [{found.low:.3g}–{found.high:.3g}]{unit}, claimed {check.band}"
    return CheckResult(verdict, words + ("" if verdict != OPEN else ", which the interval does not decide"))


def _excuse_other_mode(run: StoredRun, finding: CheckResult) -> CheckResult:
    """Leave a refuted check open if its overlay ran in a mode that the studies did not measure."""
    if finding.verdict == REFUTED:
        for name in measured(run):
            label = captions.with_mode(run, name)
            for (overlay, mode), instead in OTHER_MODES.items():
                if name.startswith(overlay) and mode in label and finding.text.startswith(label):
                    return undecided(f"{finding.text}; but {instead}")
    return finding


def decide(findings: Sequence[CheckResult]) -> Answer:
    """Return one answer for all checks: refuted if one is, else open if one is, else reproduced."""
    found = {finding.verdict for finding in findings}
    verdict = next((v for v in (REFUTED, OPEN) if v in found), REPRODUCED)
    return Answer(verdict, findings)


def lacking(group: Group, what: str) -> str:
    """Return the reason why a group of samples gives no interval; "" when it gives one."""
    if len(group.valid) >= ENOUGH_FOR_INTERVAL:
        return ""
    if group.invalid and not group.valid:
        return f"{what} has no valid sample of {len(group.invalid)}: this machine or the overlay set the pace"
    if not group.valid:
        return f"{what} was not measured"
    return f"{what} has {len(group.valid)} valid samples, {ENOUGH_FOR_INTERVAL} are needed"


def compare(
    label: str,
    band: Band,
    one: tuple[str, Group],
    other: tuple[str, Group],
    by: Comparison = ratio,
    unit: str = "",
) -> Check:
    """Return a check that compares two named groups of samples, by `statistics.ratio` or `difference`."""
    reason = lacking(one[1], one[0]) or lacking(other[1], other[0])
    return Check(label, band, lambda confidence: by(one[1].valid, other[1].valid, confidence), reason, unit)


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
    return Check(label, band, lambda confidence: by(group.valid, confidence), lacking(group, label), unit)


@dataclass(frozen=True)
class Trending:
    """Samples that a claim says rise or fall with what was varied; `reason` says why there are none."""

    label: str
    varied: Sequence[float]
    values: Sequence[float]
    reason: str = ""

    @classmethod
    def over(cls, label: str, groups: Mapping[int, Group], unit: str) -> Trending:
        """Collect the valid samples of groups; the key of each group is the varied quantity, in `unit`."""
        # one sample at each place is enough for the rank test of a trend
        reasons = [lacking(g, f"{place} {unit}") for place, g in groups.items() if not g.valid]
        varied = [float(place) for place, group in groups.items() for _ in group.valid]
        values = [value for group in groups.values() for value in group.valid]
        return cls(label, varied, values, next(iter(reasons), ""))


def check_trends(rows: Sequence[Trending], *, rising: bool) -> Checks:
    """Test each row of samples for a trend (Kendall's tau); p corrected for all rows and directions."""
    found = [None if row.reason else trend(row.varied, row.values) for row in rows]
    ps = iter(corrected([p for one in found if one for p in (one.p_rising, one.p_falling)]))
    return [_trend_result(row, one, ps, rising) for row, one in zip(rows, found, strict=True)]


def _trend_result(row: Trending, found: Trend | None, ps: Iterator[float], rising: bool) -> CheckResult:
    if found is None:
        return undecided(f"{row.label}: {row.reason or 'too few places or samples'}")
    up, down = next(ps), next(ps)
    claimed, opposite = (up, down) if rising else (down, up)
    verdict = REPRODUCED if claimed < SIGNIFICANT else REFUTED if opposite < SIGNIFICANT else OPEN
    words = f"{row.label}: Kendall's tau {found.tau:+.2f}, p {min(up, down):.2g} after correction"
    return CheckResult(verdict, words + ("" if verdict != OPEN else ", no trend that is sure"))


def measured(run: StoredRun, *besides: str) -> list[str]:
    """Return the overlays with samples that the studies measured too, without those in `besides`."""
    return [name for name in measured_overlays(run) if studied(name) and name not in besides]


@dataclass(frozen=True)
class ScorecardRow:
    """A claim and its answer in a run; `run` is empty if there is no run of the claim's experiment."""

    claim: Claim
    run: str
    answer: Answer


def scorecard(claims: Mapping[str, Sequence[Claim]], runs: Sequence[StoredRun]) -> list[ScorecardRow]:
    """Answer the claims of each experiment in each of its runs; a claim without a run gets one row."""
    rows = []
    for name, own_claims in claims.items():
        own_runs = [run for run in runs if run.manifest.experiment == name]
        for claim in own_claims:
            by = claim.command or f"emulate {name}"
            missing = Answer(OPEN, [undecided(f"no run of {name}; make one with '{by}'")])
            rows += [ScorecardRow(claim, run.manifest.run, claim.answer(run)) for run in own_runs]
            rows += [] if own_runs else [ScorecardRow(claim, "", missing)]
    return rows


def scorecard_table(rows: Sequence[ScorecardRow]) -> Table:
    """Make a table of the scorecard: the answer, what was measured, the evidence or the reason."""
    counts = Counter(row.answer.verdict for row in rows)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    sections = [
        Section(
            f"{row.claim.text} ({row.claim.source})",
            [[row.answer.verdict, row.run or "–", row.claim.measured, row.answer.text]],
        )
        for row in rows
    ]
    notes = ["intervals of 95 % for all checks of a claim together; the bands are in the claims' modules"]
    return Table(f"scorecard: {words}", ["answer", "run", "measured", "evidence"], sections, notes)
