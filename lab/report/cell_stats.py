"""Every cell of a run in figures: how many samples, mean, spread, median and interval."""

from __future__ import annotations

from collections.abc import Sequence

from lab.report.selection import NOTHING, Group
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

COLUMNS = (
    "cell",
    "value",
    "valid",
    "not valid",
    "collapsed",
    "failed",
    "bring-ups",
    "mean",
    "sd",
    "between",
    "within",
    "median",
    "95 % from",
    "to",
    "mean of all",
)
#: The value that a cell's statistics are of: the first of these that its samples have.
MAIN_VALUES = ("mean_ms", "received_mbps", "dark_s", "jitter_ms", "instructions")


def main_value(samples: Sequence[Sample]) -> str:
    """Return the name of the value that stands for a cell; empty where it has none of `MAIN_VALUES`."""
    return next((name for sample in samples for name in MAIN_VALUES if name in sample.values), "")


def by_cell(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Sort samples by the key of their cell, in the order of the keys."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.cell, []).append(sample)
    return dict(sorted(found.items()))


def rows(run: StoredRun) -> list[list[str]]:
    """Write a row of text per cell; statistics are of valid samples, and absent where there are too few."""
    found = []
    for key, samples in by_cell(run.samples).items():
        value = main_value(samples)
        group = Group.of(samples, value)
        own, whole = group.summary if group.valid else None, group.of_all
        counts = (
            len(group.valid),
            len(group.invalid),
            sum(sample.collapsed for sample in samples),
            sum(not sample.measured for sample in samples),
            own.blocks if own else 0,
        )
        figures = (
            (own.mean, own.sd, own.between, own.within, own.median, own.low, own.high) if own else (None,) * 7
        )
        words = (
            NOTHING if figure is None else f"{figure:.3f}"
            for figure in (*figures, whole.mean if whole else None)
        )
        found.append([key, value, *map(str, counts), *words])
    return found
