"""Claims of the studies as code: what is measured, the test, and the answer with its interval.

A claim is taken apart into checks, e.g. one per overlay: a quantity with its interval, and the
band in which the claim says it lies. The answer follows from the intervals alone:

- *reproduced*: every check's interval lies within its band;
- *not reproduced*: some check's interval lies wholly outside;
- *cannot be told*: neither, with the reason: too few samples, none that is valid, not measured
  here, or an interval that holds both.

With several checks each interval is widened (Bonferroni), so that all of them together hold the
truth 95 times of 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from lab.report import captions
from lab.report.selection import Group
from lab.report.statistics import CONFIDENCE, ENOUGH_FOR_INTERVAL, Estimate, Trend, corrected, trend
from lab.runs.run_folder import StoredRun

Verdict = Literal["reproduced", "not reproduced", "cannot be told"]
REPRODUCED: Verdict = "reproduced"
REFUTED: Verdict = "not reproduced"
OPEN: Verdict = "cannot be told"
#: The control and the overlays of 2016: what else is measured stands in tables and figures alone.
STUDIED = ("underlay", "libnetwork", "flannel", "weave")
#: p below which a trend is one, after the correction for how many are looked at.
SIGNIFICANT = 1 - CONFIDENCE


@dataclass(frozen=True)
class Band:
    """Where a claim says that a quantity lies."""

    low: float = -inf
    high: float = inf

    def __str__(self) -> str:
        if self.low == -inf:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == inf else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Check:
    """One quantity that a claim is about.

    `estimate` gives the quantity with an interval of this confidence, or None; `reason` says why
    there can be none. `unit` follows the figures.
    """

    label: str
    band: Band
    estimate: Callable[[float], Estimate | None] = lambda confidence: None
    reason: str = ""
    unit: str = ""


@dataclass(frozen=True)
class CheckResult:
    """What came of a check, in words."""

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Answer:
    """What came of a claim in one run."""

    verdict: Verdict
    findings: Sequence[CheckResult]

    @property
    def text(self) -> str:
        """The evidence: what decided, or all that did not."""
        deciding = [f.text for f in self.findings if f.verdict == self.verdict]
        return "; ".join(deciding)


@dataclass(frozen=True)
class Claim:
    """A sentence of a study, and the checks that it comes down to in a run of `experiment`."""

    text: str
    source: str
    experiment: str
    measured: str
    checks: Callable[[StoredRun], Sequence[Check | CheckResult]]

    def answer(self, run: StoredRun) -> Answer:
        """What this run says about it."""
        checks = self.checks(run)
        if not checks:
            lacking = "; ".join(captions.overlays(run))
            return Answer(OPEN, [CheckResult(OPEN, lacking or "the run has nothing that it speaks of")])
        confidence = 1 - (1 - CONFIDENCE) / len(checks)
        findings = [c if isinstance(c, CheckResult) else judge(c, confidence) for c in checks]
        return decide([_aside(run, finding) for finding in findings])


def judge(check: Check, confidence: float = CONFIDENCE) -> CheckResult:
    """Hold one check's interval against its band."""
    if check.reason:
        return CheckResult(OPEN, f"{check.label}: {check.reason}")
    found = check.estimate(confidence)
    if found is None:
        return CheckResult(OPEN, f"{check.label}: too few samples, or a zero among them")
    inside = check.band.low <= found.low and found.high <= check.band.high
    outside = found.high < check.band.low or found.low > check.band.high
    verdict = REPRODUCED if inside else REFUTED if outside else OPEN
    unit = f" {check.unit}" if check.unit else ""
    words = f"{check.label}: {found.value:.3g} [{found.low:.3g}–{found.high:.3g}]{unit}, claimed {check.band}"
    return CheckResult(verdict, words + ("" if verdict != OPEN else ", which the interval does not decide"))


def _aside(run: StoredRun, finding: CheckResult) -> CheckResult:
    """What was measured in another mode than the studies' refutes nothing that they say."""
    if finding.verdict != REFUTED:
        return finding
    names = [captions.with_mode(run, name) for name in measured(run) if name.startswith("weave")]
    if not finding.text.startswith(tuple(name for name in names if "sleeve" in name)):
        return finding
    return CheckResult(OPEN, f"{finding.text}; but the studies' Weave used its fast datapath")


def decide(findings: Sequence[CheckResult]) -> Answer:
    """One answer for all checks: the first that refutes, else the first that is open."""
    found = {finding.verdict for finding in findings}
    verdict = next((v for v in (REFUTED, OPEN) if v in found), REPRODUCED)
    return Answer(verdict, findings)


def lacking(group: Group, what: str) -> str:
    """Why a group of samples gives no interval; empty when it does."""
    if len(group.valid) >= ENOUGH_FOR_INTERVAL:
        return ""
    if group.invalid and not group.valid:
        return f"{what} has no valid sample of {len(group.invalid)}: this machine or the overlay set the pace"
    if not group.valid:
        return f"{what} was not measured"
    return f"{what} has {len(group.valid)} valid samples, {ENOUGH_FOR_INTERVAL} are needed"


def absent(group: Group, what: str) -> str:
    """Why a place has nothing for a trend to go through; one valid sample is enough for a rank."""
    return "" if group.valid else lacking(group, what)


def compare(
    label: str,
    band: Band,
    one: tuple[str, Group],
    other: tuple[str, Group],
    by: Callable[[Sequence[float], Sequence[float], float], Estimate | None],
    unit: str = "",
) -> Check:
    """A check on two groups of samples, by `statistics.ratio` or `statistics.difference`."""
    reason = lacking(one[1], one[0]) or lacking(other[1], other[0])
    return Check(label, band, lambda confidence: by(one[1].valid, other[1].valid, confidence), reason, unit)


@dataclass(frozen=True)
class Trending:
    """Samples that a claim says rise or fall with what was varied; `reason` says why there are none."""

    label: str
    varied: Sequence[float]
    values: Sequence[float]
    reason: str = ""


def follow(rows: Sequence[Trending], *, rising: bool) -> list[CheckResult]:
    """A finding per row of samples, on Kendall's tau; p corrected for the number of rows and directions."""
    found = [None if row.reason else trend(row.varied, row.values) for row in rows]
    ps = iter(corrected([p for one in found if one for p in (one.p_rising, one.p_falling)]))
    return [_followed(row, one, ps, rising) for row, one in zip(rows, found, strict=True)]


def _followed(row: Trending, found: Trend | None, ps: Iterator[float], rising: bool) -> CheckResult:
    if found is None:
        return CheckResult(OPEN, f"{row.label}: {row.reason or 'too few places or samples'}")
    up, down = next(ps), next(ps)
    asked, opposite = (up, down) if rising else (down, up)
    verdict = REPRODUCED if asked < SIGNIFICANT else REFUTED if opposite < SIGNIFICANT else OPEN
    words = f"{row.label}: Kendall's tau {found.tau:+.2f}, p {min(up, down):.2g} after correction"
    return CheckResult(verdict, words + ("" if verdict != OPEN else ", no trend that is sure"))


def measured(run: StoredRun, *besides: str) -> list[str]:
    """What the studies measured as well, of the overlays that have samples, without those named."""
    found = {sample.overlay for sample in run.samples if sample.ok}
    names = [name for name in run.manifest.overlays if name in found and name not in besides]
    return [n for n in names if n.partition(":")[0] in STUDIED and "encryption=on" not in n]


@dataclass(frozen=True)
class ScorecardRow:
    """A line of the scorecard; `run` is empty where none of the runs was of the claim's experiment."""

    claim: Claim
    run: str
    answer: Answer


def scorecard(claims: Sequence[Claim], runs: Sequence[StoredRun]) -> list[ScorecardRow]:
    """Every claim in every run of its experiment; one line for a claim that no run speaks of."""
    lines = []
    for claim in claims:
        own = [run for run in runs if run.manifest.experiment == claim.experiment]
        lines += [ScorecardRow(claim, run.manifest.run, claim.answer(run)) for run in own]
        if not own:
            missing = f"no run of {claim.experiment}; make one with 'emulate {claim.experiment}'"
            lines.append(ScorecardRow(claim, "", Answer(OPEN, [CheckResult(OPEN, missing)])))
    return lines
