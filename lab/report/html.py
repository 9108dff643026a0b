"""A run as one page that needs no network: the result, how far to believe it, how to repeat it."""

from __future__ import annotations

import base64
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from experiments.base import Experiment
from lab.report import conditions
from lab.runs.folder import Run
from lab.runs.sample import State

TEMPLATE = "page.html.j2"
PAGE = "report.html"
STATES: tuple[State, ...] = get_args(State)
MOST_REASONS = 8


def write(run: Run, experiment: Experiment, folder: Path) -> Path:
    """Write ``report.html`` with the figures that lie in ``figures/``, and return its path."""
    page = folder / PAGE
    page.write_text(render(run, experiment, sorted((folder / "figures").glob("*.svg"))))
    return page


def render(run: Run, experiment: Experiment, figures: Sequence[Path]) -> str:
    """The page as text; everything that comes from a run is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("lab.report", ".")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return env.get_template(TEMPLATE).render(
        experiment=experiment,
        manifest=run.manifest,
        conditions=conditions.line(run),
        present=sum(sample.ok for sample in run.samples),
        lacking=conditions.overlays(run),
        tables=experiment.tables(run) if run.samples else [],
        figures=[{"data": inlined(file), "alt": file.stem.replace("-", ": ")} for file in figures],
        states=STATES,
        verdicts=list(verdicts(run)),
        meaning=conditions.MEANING,
        reasons=Counter(r for s in run.samples for r in s.verdict.reasons).most_common(MOST_REASONS),
        environment=list(environment(run)),
        command=command(run),
    )


def inlined(file: Path) -> str:
    """An image as a data URI: two drawings inlined as elements would share the names of their parts."""
    return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()


def verdicts(run: Run) -> Iterator[list[str]]:
    """Per overlay: its samples by verdict, and the attempts that failed."""
    for name in run.manifest.overlays:
        own = [sample for sample in run.samples if sample.overlay == name]
        counts = Counter(sample.verdict.state for sample in own if sample.ok)
        yield [name, *(str(counts[state]) for state in STATES), str(sum(not s.ok for s in own))]


def environment(run: Run) -> Iterator[tuple[str, str]]:
    """What the figures depend on, as pairs of text."""
    manifest = run.manifest
    yield "links", conditions.rate(run) + (f" ({why})" if (why := manifest.profile.get("why")) else "")
    yield "shaper", manifest.shaper
    yield "order of cells", f"random, seed {manifest.seed}"
    for name, overlay in manifest.overlays.items():
        yield f"overlay {name}", ", ".join(f"{k} {v}" for k, v in overlay.mode.items()) or overlay.state
    for key, value in manifest.environment.items():
        yield key, _flat(value)
    if manifest.calibration:
        yield "calibration", _flat(manifest.calibration)
    yield "seconds by phase", _flat(manifest.timing)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_flat(one)}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def command(run: Run) -> str:
    """The command line that began the run, with the seed that it drew."""
    words = list(run.manifest.sessions[0].command[1:]) if run.manifest.sessions else []
    if "--seed" not in words:
        words += ["--seed", str(run.manifest.seed)]
    return "sudo " + shlex.join(["python", "-m", "lab", *words])
