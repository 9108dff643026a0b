"""The stored samples that belong to one bar of a figure or one cell of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from lab.report.statistics import Estimate, Summary, summary, without_machines
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

#: What stands where nothing was measured.
NOTHING = "–"
#: Ends of the names of values that are 0 where the traffic collapsed; others have no figure then.
RATES = ("mbps", "kbps")
Blocks = Sequence[Sequence[float]]


class SampleValue(NamedTuple):
    """One sample's figure, the bring-up in which it was measured, and if its verdict lets it count.

    `machine` is the machine of a run over several; empty for a run on one.
    """

    bring_up: int
    value: float
    counts: bool = True
    machine: str = ""


@dataclass(frozen=True)
class Group:
    """One figure of the samples of one cell; `lost` counts those that have none: their traffic collapsed."""

    entries: Sequence[SampleValue] = ()
    lost: int = 0

    @classmethod
    def of(cls, samples: Iterable[Sample], value: str) -> Group:
        """Group the values named `value` of the samples; a collapse is 0 where the value is a rate."""
        return cls.by(samples, lambda sample: figure(sample, value))

    @classmethod
    def by(cls, samples: Iterable[Sample], figure: Callable[[Sample], float | None]) -> Group:
        """Group what `figure` makes of each sample; None for those that have no such figure."""
        measured = [sample for sample in samples if sample.measured]
        found = [(sample, figure(sample)) for sample in measured]
        return cls(
            [SampleValue(s.bring_up, value, s.valid, s.on) for s, value in found if value is not None],
            sum(sample.collapsed and value is None for sample, value in found),
        )

    @property
    def valid(self) -> Sequence[float]:
        """The values that count."""
        return [entry.value for entry in self.entries if entry.counts]

    @property
    def invalid(self) -> Sequence[float]:
        """The values that do not count."""
        return [entry.value for entry in self.entries if not entry.counts]

    @property
    def by_bring_up(self) -> Mapping[int, Sequence[float]]:
        """The values that count, by the number of the bring-up."""
        return _by_bring_up(entry for entry in self.entries if entry.counts)

    @property
    def blocks(self) -> Blocks:
        """The values that count, bring-up by bring-up."""
        return list(self.by_bring_up.values())

    @property
    def means(self) -> Sequence[float]:
        """The means of the bring-ups, of values that count: what is independent of each other.

        Where machines measured them, they are without the machines' own part.
        """
        return without_machines([fmean(block) for block in self.blocks], self._machines(counting=True))

    @property
    def doubtful(self) -> bool:
        """True when there is a mean, and not one valid sample in it."""
        return bool(self.invalid) and not self.valid

    @property
    def summary(self) -> Summary | None:
        """Statistics of the values that count, or, marked as such, of all samples; None if there are none."""
        return summary(self.blocks, self._machines(counting=True)) or self.of_all

    @property
    def of_all(self) -> Summary | None:
        """Statistics of all values, also of those that do not count."""
        return summary(list(_by_bring_up(self.entries).values()), self._machines(counting=False))

    def _machines(self, *, counting: bool) -> list[str]:
        """Return the machine of every bring-up, in the order of `blocks`; none for a run on one machine."""
        on = {e.bring_up: e.machine for e in self.entries if e.counts or not counting}
        return [on[number] for number in sorted(on)] if any(on.values()) else []

    @property
    def mark(self) -> str:
        """The number of samples that count, in a few words; empty when all do."""
        words, valid = [], len(self.valid)
        if self.invalid:
            words.append(f"{valid or 'none'} of {len(self.entries)} valid")
        if self.lost:
            words.append(f"{self.lost} collapsed")
        return ", ".join(words)


def _by_bring_up(entries: Iterable[SampleValue]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for entry in entries:
        found.setdefault(entry.bring_up, []).append(entry.value)
    return dict(sorted(found.items()))


def figure(sample: Sample, value: str) -> float | None:
    """Return a value of a sample; for a collapse, 0 if the value is a rate.

    The name of the value is empty for a cell of which each sample collapsed.
    """
    if sample.collapsed:
        return 0.0 if value.partition(" ")[0].endswith(RATES) else None
    return sample.values.get(value)


def matches(sample: Sample, metric: str, value: str, params: Mapping[str, object]) -> bool:
    """Return True for a sample that measured this value of a metric, or in which it collapsed."""
    return (
        sample.metric == metric
        and (sample.collapsed or (sample.ok and value in sample.values))
        and all(sample.params.get(key) == wanted for key, wanted in params.items())
    )


def select(samples: Iterable[Sample], overlay: str, metric: str, value: str, **params: object) -> Group:
    """Group the values named `value` of the measured samples of one cell."""
    return Group.of((s for s in samples if s.overlay == overlay and matches(s, metric, value, params)), value)


def measured_overlays(run: StoredRun) -> list[str]:
    """Return the overlays that have samples, in the order in which the run names them."""
    found = {sample.overlay for sample in run.samples if sample.measured}
    return [name for name in run.manifest.overlays if name in found]


def text(group: Group, digits: int = 2) -> str:
    """Write ``21.83 ± 0.02/0.01 [21.80–21.86]``; or `NOTHING`.

    That is: mean, standard deviation between and within bring-ups, 95 % interval. Where every bring-up has
    one sample there is one deviation; of one bring-up it is that within. Where samples do not count, the
    mean of all follows.
    """
    found = group.summary
    if found is None:
        return f"{NOTHING} ({group.mark})" if group.mark else NOTHING
    words = [f"{found.mean:.{digits}f}", *_deviation(found, digits)]
    if found.low is not None and not group.doubtful:
        words.append(f"[{found.low:.{digits}f}–{found.high:.{digits}f}]")
    mark, whole = group.mark, group.of_all
    if group.valid and group.invalid and whole:
        mark += f"; all {whole.mean:.{digits}f}"
    return " ".join(words) + (f" ({mark})" if mark else "")


def _deviation(found: Summary, digits: int) -> list[str]:
    if found.sd is None:
        return []
    if found.within is None:
        return [f"± {found.sd:.{digits}f}"]
    if found.between is None:
        return [f"± {found.within:.{digits}f} within"]
    return [f"± {found.between:.{digits}f}/{found.within:.{digits}f}"]


def interval(found: Estimate | None) -> str:
    """Write ``0.83 [0.79–0.88]``: an estimate with its interval, or `NOTHING`."""
    return NOTHING if found is None else f"{found.value:.2f} [{found.low:.2f}–{found.high:.2f}]"


def decided_number(found: Estimate) -> str:
    """Write ``0.83 [0.79–0.88]``, to three digits; ``0.394`` alone where the interval has no width then."""
    low, high = f"{found.low:.3g}", f"{found.high:.3g}"
    if low == high:  # "1.00 of the lookups" is a share; "1 of the lookups" would be one of them
        return f"{found.value:#.3g}".rstrip(".")
    return f"{found.value:.3g} [{low}–{high}]"
