"""Every cell of a run in figures: how many samples, mean, spread, median and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.report.selection import NOTHING, Group
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

COLUMNS = ("cell", "value", "valid", "not valid", "failed", "mean", "sd", "median", "95 % from", "to")
#: The value that a cell's statistics are of: the first of these that its samples have.
TELLING = ("mean_ms", "received_mbps", "dark_s", "jitter_ms")


def telling(values: Mapping[str, float]) -> str:
    """The name of the value that stands for a sample; empty where it has none of `TELLING`."""
    return next((name for name in TELLING if name in values), "")


def by_cell(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples by the key of their cell, in the order of the keys."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.cell, []).append(sample)
    return dict(sorted(found.items()))


def group(samples: Sequence[Sample], value: str) -> Group:
    """One value of the samples of a cell."""
    have = [sample for sample in samples if sample.ok and value in sample.values]
    return Group(
        [sample.values[value] for sample in have if sample.valid],
        [sample.values[value] for sample in have if not sample.valid],
    )


def rows(run: StoredRun) -> list[list[str]]:
    """A row of text per cell; statistics are of valid samples, and absent where there are too few."""
    return [_row(key, samples) for key, samples in by_cell(run.samples).items()]


def _row(key: str, samples: Sequence[Sample]) -> list[str]:
    value = next((name for sample in samples if (name := telling(sample.values))), "")
    found = group(samples, value)
    failed = sum(not sample.ok for sample in samples)
    counts = [str(len(found.valid)), str(len(found.invalid)), str(failed)]
    own = Group(found.valid, ()).summary
    figures = (own.mean, own.sd, own.median, own.low, own.high) if own else (None,) * 5
    return [key, value, *counts, *(NOTHING if figure is None else f"{figure:.3f}" for figure in figures)]
