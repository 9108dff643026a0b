"""Every overlay against every other, cell by cell: ratios with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from lab.report.cell_stats import main_value
from lab.report.selection import Group, interval
from lab.report.statistics import ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample


def table(run: StoredRun) -> Table:
    """Make a section per cell, a row per pair of overlays with enough valid samples; empty without one."""
    places: dict[str, dict[str, list[Sample]]] = {}
    for sample in run.samples:
        place = sample.cell.removeprefix(f"{sample.overlay}/")
        places.setdefault(place, {}).setdefault(sample.overlay, []).append(sample)
    sections = [
        Section(place, rows) for place, overlays in sorted(places.items()) if (rows := list(_rows(overlays)))
    ]
    columns = ["overlay", "by", "ratio [95 % interval]"]
    return Table("ratios of the means of two overlays, in the same cell", columns, sections)


def _rows(overlays: Mapping[str, Sequence[Sample]]) -> Iterator[list[str]]:
    for one, other in combinations(overlays, 2):
        value = main_value(overlays[one])
        found = ratio(Group.of(overlays[other], value).means, Group.of(overlays[one], value).means)
        if found is not None:
            yield [other, one, interval(found)]
