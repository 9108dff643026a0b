"""The stored samples that belong to one bar of a figure or one cell of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.report.statistics import Estimate, Summary, summary
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

#: What stands where nothing was measured.
NOTHING = "–"


@dataclass(frozen=True)
class Group:
    """One value of the samples of one cell, apart by whether their verdict lets them count."""

    valid: Sequence[float]
    invalid: Sequence[float]

    @classmethod
    def of(cls, samples: Iterable[Sample], value: str) -> Group:
        """Group the values named `value` of the samples that measured it."""
        have = [sample for sample in samples if sample.ok and value in sample.values]
        return cls(
            [sample.values[value] for sample in have if sample.valid],
            [sample.values[value] for sample in have if not sample.valid],
        )

    @property
    def shown(self) -> Sequence[float]:
        """The samples that a mean is taken of: the valid ones, or, marked as such, those that there are."""
        return self.valid or self.invalid

    @property
    def doubtful(self) -> bool:
        """True when there is a mean, and not one valid sample in it."""
        return bool(self.invalid) and not self.valid

    @property
    def summary(self) -> Summary | None:
        """Mean and spread of `shown`; None where nothing was measured."""
        return summary(self.shown)

    @property
    def mark(self) -> str:
        """The number of samples that count, in a few words; empty when all do."""
        if not self.invalid:
            return ""
        total = len(self.valid) + len(self.invalid)
        return f"{len(self.valid) or 'none'} of {total} valid"


def matches(sample: Sample, metric: str, value: str, params: Mapping[str, object]) -> bool:
    """Return True for a sample that measured this value of a metric, with these parameters."""
    return (
        sample.metric == metric
        and sample.ok
        and value in sample.values
        and all(sample.params.get(key) == wanted for key, wanted in params.items())
    )


def select(samples: Iterable[Sample], overlay: str, metric: str, value: str, **params: object) -> Group:
    """Group the values named `value` of the measured samples of one cell."""
    return Group.of((s for s in samples if s.overlay == overlay and matches(s, metric, value, params)), value)


def measured_overlays(run: StoredRun) -> list[str]:
    """Return the overlays that have samples, in the order in which they were measured."""
    found = {sample.overlay for sample in run.samples if sample.ok}
    return [name for name in run.manifest.overlays if name in found]


def text(group: Group, digits: int = 2) -> str:
    """Write ``21.83 ± 0.02 [21.80–21.86]``: mean, standard deviation, 95 % interval; or `NOTHING`."""
    found = group.summary
    if found is None:
        return NOTHING
    words = [f"{found.mean:.{digits}f}"]
    if found.sd is not None:
        words.append(f"± {found.sd:.{digits}f}")
    if found.low is not None and not group.doubtful:
        words.append(f"[{found.low:.{digits}f}–{found.high:.{digits}f}]")
    return " ".join(words) + (f" ({group.mark})" if group.mark else "")


def interval(found: Estimate | None) -> str:
    """Write ``0.83 [0.79–0.88]``: an estimate with its interval, or `NOTHING`."""
    return NOTHING if found is None else f"{found.value:.2f} [{found.low:.2f}–{found.high:.2f}]"
