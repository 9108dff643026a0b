"""Runs as one page that needs no network: the answer, figures, tables, samples, and how to repeat it."""

from __future__ import annotations

import base64
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from lab.errors import RunError, TopologyError
from lab.report import captions, comparison, ratios
from lab.report.cell_stats import COLUMNS, main_value, rows
from lab.report.claims import Claim, Verdict, scorecard
from lab.report.presentation import PresentedExperiment
from lab.report.questions import QuestionAnswer
from lab.report.statistics import ENOUGH_FOR_INTERVAL
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample, State
from lab.topology import Topology
from lab.util import files
from lab.util.documents import MIB, Bounds, content

TEMPLATE, STYLE, SCRIPT = "page.html.j2", "page.css", "page.js"
PAGE = "report.html"
STATES: tuple[State, ...] = get_args(State)
MOST_REASONS = 8
FIGURE, CAPTION = Bounds("figure", size=32 * MIB), Bounds("caption", size=MIB)
#: Figures that are not folded, and samples that the page has at most.
FIRST_FIGURES, MOST_SAMPLES = 3, 5000
SAMPLE_COLUMNS = ("cell", "bring-up", "repetition", "value", "measured", "verdict", "reasons")


@dataclass(frozen=True)
class RunSection:
    """A run with its experiment, and the files of its figures, of which a page takes the SVG ones."""

    run: StoredRun
    experiment: PresentedExperiment
    figures: Sequence[Path] = ()


def write(
    run: StoredRun,
    experiment: PresentedExperiment,
    folder: Path,
    figures: Sequence[Path],
    questions: Sequence[QuestionAnswer] = (),
) -> Path:
    """Write ``report.html`` with these figures and answers; return its path."""
    page = folder / PAGE
    files.replace(page, render(run, experiment, figures, questions))
    return page


def render(
    run: StoredRun,
    experiment: PresentedExperiment,
    figures: Sequence[Path],
    questions: Sequence[QuestionAnswer] = (),
) -> str:
    """Render the page of one run, with the claims of its experiment."""
    parts = [RunSection(run, experiment, figures)]
    return render_all(parts, {experiment.name: experiment.claims}, questions)


def render_all(
    parts: Sequence[RunSection],
    claims: Mapping[str, Sequence[Claim]],
    questions: Sequence[QuestionAnswer] = (),
) -> str:
    """Render the page of several runs, and of claims by experiment; everything from a run is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("lab.report", ".")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    runs = [part.run for part in parts]
    answered = scorecard(claims, runs) if any(run.samples for run in runs) else []
    title = f"{len(parts)} runs: {', '.join(dict.fromkeys(part.experiment.name for part in parts))}"
    if len(parts) == 1:
        title = f"{parts[0].experiment.name}: {parts[0].experiment.summary}"
    return env.get_template(TEMPLATE).render(
        title=title,
        style=Markup(_own(STYLE)),
        script=Markup(_own(SCRIPT)),
        first=FIRST_FIGURES,
        measured=any(run.samples for run in runs),
        chapters=[_chapter(part) for part in parts],
        questions=questions,
        comparisons=list(comparison.tables(runs)),
        scorecard=sorted(answered, key=lambda row: get_args(Verdict).index(row.answer.verdict)),
        counts={
            v: sum(bool(row.run) and row.answer.verdict == v for row in answered) for v in get_args(Verdict)
        },
        states=STATES,
        meaning=captions.MEANING,
        cell_columns=COLUMNS,
        sample_columns=SAMPLE_COLUMNS,
        enough=ENOUGH_FOR_INTERVAL,
    )


def _own(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _chapter(part: RunSection) -> dict[str, Any]:
    run, experiment = part.run, part.experiment
    return {
        "experiment": experiment,
        "manifest": run.manifest,
        "folder": run.path.name,
        "rate": captions.rate(run),
        "conditions": captions.conditions(run),
        "request": request(run),
        "present": sum(sample.ok for sample in run.samples),
        "not_measured": captions.not_measured(run),
        "tables": experiment.tables(run) if run.samples else [],
        "figures": [captioned(file) for file in part.figures if file.suffix == ".svg"],
        "cells": rows(run),
        "samples": [sample_row(sample) for sample in run.samples[:MOST_SAMPLES]],
        "left_out": max(len(run.samples) - MOST_SAMPLES, 0),
        "ratios": ratios.table(run),
        "calibration": calibration(run),
        "machines": machines(run),
        "picture": picture(run),
        "verdicts": list(verdicts(run)),
        "reasons": reasons(run),
        "environment": list(environment(run)),
        "command": command(run),
    }


def captioned(file: Path) -> dict[str, str]:
    """Return a figure as a data URI, with its caption; one of before has its name for a title."""
    title, reading = file.stem.replace("-", ": "), ""
    conditions = ""
    caption = file.with_suffix(".txt")
    if caption.is_file():
        text = content(caption, RunError, CAPTION, beneath=file.parent).decode(errors="replace")
        title, *others = text.splitlines() or [title]
        conditions = next((line for line in others if line.startswith("Conditions: ")), "")
        reading = " ".join(line for line in others if line != conditions)
    return {
        "data": inlined(figure(file)),
        "title": title,
        "reading": reading,
        "conditions": conditions.removeprefix("Conditions: "),
        "alt": f"{title}. The numbers are in the tables.",
    }


def sample_row(sample: Sample) -> list[str]:
    """Return the row of a sample in the table of all."""
    value = main_value([sample])
    measured = f"{sample.values[value]:g}" if value else "collapsed" if sample.collapsed else "–"
    state = sample.verdict.state if sample.measured else "failed"
    counts = [str(sample.bring_up), str(sample.repetition)]
    return [sample.cell, *counts, value, measured, state, "; ".join(sample.verdict.reasons)]


def figure(file: Path) -> bytes:
    """Return a figure that lies in its folder, as links may not lead elsewhere.

    Raises:
        RunError: it leads out of the folder, or is no file.
    """
    return content(file, RunError, FIGURE, beneath=file.parent)


def inlined(image: bytes) -> str:
    """Encode an SVG as a data URI: two drawings inlined as elements would share the names of their parts."""
    return "data:image/svg+xml;base64," + base64.b64encode(image).decode()


def picture(run: StoredRun) -> str:
    """Draw the topology's structure as a data URI; empty for one that this version cannot read."""
    from lab.draw import chart
    from lab.draw.geometry import Layout

    try:
        topology = Topology.from_dict(run.manifest.topology)
        return inlined(chart.render(topology, "svg", Layout.STRUCTURE))
    except TopologyError:
        return ""


def verdicts(run: StoredRun) -> Iterator[list[str]]:
    """Count, per overlay, its samples by verdict, and the attempts that failed."""
    for name in run.manifest.overlays:
        own = [sample for sample in run.samples if sample.overlay == name]
        counts = Counter(sample.verdict.state for sample in own if sample.ok)
        yield [name, *(str(counts[state]) for state in STATES), str(sum(not s.ok for s in own))]


def reasons(run: StoredRun) -> list[tuple[str, int]]:
    """Count the reasons why samples are not valid, most frequent first; percentages are left out."""
    found = Counter(
        re.sub(r"\d+(\.\d+)? ?%", "… %", reason)
        for sample in run.samples
        for reason in sample.verdict.reasons
    )
    return found.most_common(MOST_REASONS)


def environment(run: StoredRun) -> Iterator[tuple[str, str]]:
    """List what the figures depend on, as pairs of text."""
    manifest = run.manifest
    yield "links", captions.rate(run) + (f" ({why})" if (why := manifest.profile.get("why")) else "")
    if left_out := manifest.profile.get("left_out"):
        yield "not measured", left_out
    yield "shaper", manifest.shaper
    fixed = manifest.seed is None
    yield "order of cells", "fixed" if fixed else f"random, seed {manifest.seed}"
    for name, overlay in manifest.overlays.items():
        yield f"overlay {name}", ", ".join(f"{k} {v}" for k, v in overlay.mode.items()) or overlay.state
    for key, value in manifest.environment.items():
        yield key, flat(value)
    yield "seconds by phase", flat(manifest.timing)


def request(run: StoredRun) -> str:
    """Say in one line what was to be measured."""
    manifest = run.manifest
    topology, only = manifest.topology, manifest.only
    return "; ".join(
        [
            f"overlays {', '.join(manifest.overlays) or 'none'}",
            f"topology {topology.get('name')} ({len(topology.get('hosts', ()))} hosts)",
            f"per cell {', '.join(captions.repetitions(run))}{captions.bring_ups(run)}",
            *([f"only cells with {' or '.join(only)}"] if only else []),
        ]
    )


def calibration(run: StoredRun) -> Table:
    """Make a table of what every link did before the first sample: a row per link."""
    found = {name: row for name, row in run.manifest.calibration.items() if isinstance(row, dict)}
    columns = list(dict.fromkeys(key for row in found.values() for key in row))
    rows = [[name, *(flat(row.get(key, "–")) for key in columns)] for name, row in found.items()]
    sections = [Section("measured before the first sample", rows)] if rows else []
    return Table("calibration of the links", ["link", *columns], sections)


def machines(run: StoredRun) -> Table:
    """Make a table of the machines of a run over several, with their shares of valid samples."""
    placed, rows = run.manifest.placed, []
    for name, one in sorted(run.manifest.machines.items()):
        own = [s for s in run.samples if placed.get(f"{s.overlay} #{s.bring_up}") == name]
        measured = [sample for sample in own if sample.measured]
        share = f"{100 * sum(s.valid for s in measured) / len(measured):.0f} %" if measured else "–"
        blocks = sum(machine == name for machine in placed.values())
        capacity = f"{one.cpus} × {one.cpu or 'processor'}, {one.memory_mib} MiB"
        capacity += f", carries {one.capacity}" if one.capacity else ""
        state = f"{one.state}: {one.reason}" if one.reason else one.state
        shaper = one.shaper or run.manifest.shaper
        rows.append([name, capacity, shaper, one.kernel, str(blocks), str(len(own)), share, state])
    columns = ["machine", "capacity", "shaper", "kernel", "blocks", "samples", "valid", "state"]
    return Table("machines", columns, [Section("machines of this run", rows)] if rows else [])


def flat(value: Any) -> str:
    """Write a nested value in one line."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {flat(one)}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def command(run: StoredRun) -> str:
    """Return the command line that began the run, with the seed that it drew."""
    given = list(run.manifest.sessions[0].command) if run.manifest.sessions else []
    own = not given or Path(given[0]).parts[-2:] == ("lab", "__main__.py") or Path(given[0]).name == "lab"
    if not own:
        return shlex.join(given)  # another program, which made the run through the engine
    words = given[1:]
    if "--seed" not in words:
        words += ["--seed", str(run.manifest.seed)]
    return "sudo " + shlex.join(["lab", *words])
