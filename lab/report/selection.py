"""Which stored samples belong to one bar of a figure or one cell of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.report.statistics import Summary, summary
from lab.runs.sample import Sample

#: What stands where nothing was measured.
NOTHING = "–"


@dataclass(frozen=True)
class Group:
    """One value of the samples of one cell, apart by whether their verdict lets them count."""

    valid: Sequence[float]
    invalid: Sequence[float]

    @property
    def shown(self) -> Sequence[float]:
        """What a mean is taken of: the valid samples, or, marked as such, those that there are."""
        return self.valid or self.invalid

    @property
    def doubtful(self) -> bool:
        """Whether there is a mean, and not one valid sample in it."""
        return bool(self.invalid) and not self.valid

    @property
    def summary(self) -> Summary | None:
        """Mean and spread of `shown`; None where nothing was measured."""
        return summary(self.shown)

    @property
    def mark(self) -> str:
        """How many samples do not count, in a few words; empty when all do."""
        if not self.invalid:
            return ""
        total = len(self.valid) + len(self.invalid)
        return f"{len(self.valid) or 'none'} of {total} valid"


def select(samples: Iterable[Sample], overlay: str, metric: str, value: str, **params: object) -> Group:
    """The values named `value` of the measured samples of one cell."""
    found = [
        sample
        for sample in samples
        if sample.metric == metric
        and sample.overlay == overlay
        and sample.ok
        and all(sample.params.get(key) == wanted for key, wanted in params.items())
        and value in sample.values
    ]
    return Group(
        [sample.values[value] for sample in found if sample.valid],
        [sample.values[value] for sample in found if not sample.valid],
    )


def text(group: Group, digits: int = 2) -> str:
    """``21.83 ± 0.02 [21.80–21.86]``: mean, standard deviation, 95 % interval; `NOTHING` where nothing is."""
    found = group.summary
    if found is None:
        return NOTHING
    words = [f"{found.mean:.{digits}f}"]
    if found.sd is not None:
        words.append(f"± {found.sd:.{digits}f}")
    if found.low is not None and not group.doubtful:
        words.append(f"[{found.low:.{digits}f}–{found.high:.{digits}f}]")
    return " ".join(words) + (f" ({group.mark})" if group.mark else "")
