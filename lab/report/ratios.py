"""Every overlay against every other, cell by cell: ratios with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from lab.report.cell_stats import group, telling
from lab.report.charts import estimate
from lab.report.statistics import ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

Cells = Mapping[str, Mapping[str, Sequence[Sample]]]


def table(run: StoredRun) -> Table:
    """A section per cell, a row per pair of overlays that have enough valid samples; empty without one."""
    columns = ["overlay", "by", "ratio [95 % interval]"]
    sections = [
        Section(place, rows) for place, overlays in cells(run).items() if (rows := list(_rows(overlays)))
    ]
    return Table("ratios of the means of two overlays, in the same cell", columns, sections)


def cells(run: StoredRun) -> Cells:
    """Samples by what of their cell is not the overlay, and by overlay."""
    found: dict[str, dict[str, list[Sample]]] = {}
    for sample in run.samples:
        place = sample.cell.removeprefix(f"{sample.overlay}/")
        found.setdefault(place, {}).setdefault(sample.overlay, []).append(sample)
    return dict(sorted(found.items()))


def _rows(overlays: Mapping[str, Sequence[Sample]]) -> Iterator[list[str]]:
    for one, other in combinations(overlays, 2):
        value = next((name for s in overlays[one] if (name := telling(s.values))), "")
        found = ratio(group(overlays[other], value).valid, group(overlays[one], value).valid)
        if found is not None:
            yield [other, one, estimate(found)]
