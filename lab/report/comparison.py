"""Several runs of one experiment beside each other: means, ratios with intervals, what was different."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lab.report import captions
from lab.report.cell_stats import by_cell, main_value
from lab.report.selection import Group, interval, text
from lab.report.statistics import ratio
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun


def tables(runs: Sequence[StoredRun]) -> Iterator[Table]:
    """Make a table for every experiment with two runs or more: the later ones against the first."""
    for name in dict.fromkeys(run.manifest.experiment for run in runs):
        own = [run for run in runs if run.manifest.experiment == name]
        if len(own) > 1:
            yield _table(name, own)


def _table(name: str, runs: Sequence[StoredRun]) -> Table:
    first, *others = runs
    columns = [
        "cell",
        *(f"run {run.manifest.run}" for run in runs),
        *(f"{run.manifest.run} by {first.manifest.run}" for run in others),
    ]
    cells = [by_cell(run.samples) for run in runs]
    rows = [_row(key, [found[key] for found in cells]) for key in cells[0] if all(key in c for c in cells)]
    sections = [
        Section(f"{captions.SPREAD}, and ratios [95 % interval]", rows),
        Section("what was different", [[*row, *[""] * len(others)] for row in differences(runs)]),
    ]
    notes = [captions.conditions(run) for run in runs]
    return Table(f"{name}: {len(runs)} runs", columns, sections, notes)


def _row(key: str, cells: Sequence[Sequence[Any]]) -> list[str]:
    value = main_value(cells[0])
    groups = [Group.of(samples, value) for samples in cells]
    ratios = [interval(ratio(other.means, groups[0].means)) for other in groups[1:]]
    return [key, *map(text, groups), *ratios]


def differences(runs: Sequence[StoredRun]) -> list[list[str]]:
    """List every condition that is not the same in all runs: its name, and what each run has."""
    conditions = [dict(_conditions(run)) for run in runs]
    names = dict.fromkeys(name for own in conditions for name in own)
    rows = [[name, *(own.get(name, "–") for own in conditions)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def _conditions(run: StoredRun) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    yield "topology", str(manifest.topology.get("name"))
    yield "rate, Mbit/s", str(manifest.rate)
    yield "shaper", manifest.shaper
    yield "profile", str(manifest.profile.get("name"))
    yield "CPUs per host", str(manifest.profile.get("cpus"))
    yield "clock", manifest.clock
    yield (
        "work costs, µs",
        ", ".join(f"{name} {price:g}" for name, price in manifest.costs.items()) or "nothing",
    )
    yield "seed", str(manifest.seed)
    yield "bring-ups", str(manifest.bring_ups)
    yield "samples that count", f"{sum(s.valid for s in run.samples)} of {len(run.samples)}"
    yield from _flat("", manifest.environment)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield prefix, str(value)
        return
    for key, inner in value.items():
        yield from _flat(f"{prefix} {key}".strip(), inner)
