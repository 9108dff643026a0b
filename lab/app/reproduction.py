"""A run of others, measured again here by its own definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.app.request import RunPlan, RunRequest, load_experiment, require_hosts, stored_plan
from lab.emulation.registry import DOCKER
from lab.errors import RunError, UsageError
from lab.runs.run_folder import StoredRun


def chosen(runs: Sequence[StoredRun], run: str) -> StoredRun:
    """Return the run of a pack that has this id; with "", its only one.

    Raises:
        UsageError: none has it, or there are several; names all.
    """
    found = [one for one in runs if run in ("", one.manifest.run)]
    if len(found) != 1:
        names = ", ".join(f"{one.manifest.run} ({one.manifest.experiment})" for one in runs)
        raise UsageError(f"name one of the pack's runs by --run: {names}")
    return found[0]


def definition(run: StoredRun, results: Path) -> tuple[RunRequest, RunPlan]:
    """Return the request and the plan that measure the same again: topology, rate, cells, order, clock.

    Raises:
        LabError: the run is not one of emulated hosts; says how to repeat it.
    """
    manifest = run.manifest
    experiment = load_experiment(manifest.experiment)
    require_hosts(experiment)
    if not manifest.shaper:
        raise RunError(
            f"run {manifest.run} was measured on real machines; measure yours with 'lab testbed run "
            f"{manifest.experiment}', and compare with --against"
        )
    request = RunRequest(
        manifest.experiment,
        overlays=tuple(manifest.overlays),
        only=tuple(manifest.only),
        seed=manifest.seed,
        daemons=str(manifest.environment.get("daemons", DOCKER)),
        on_fallback=manifest.on_fallback,
        accept_links=bool(manifest.accepted),
        clock=manifest.clock,
        costs=manifest.costs,
        results=results,
        verb="reproduce",
    )
    return request, stored_plan(experiment, manifest)


def require_same(theirs: StoredRun, ours: StoredRun) -> None:
    """Check that two runs are of one experiment.

    Raises:
        UsageError: they are not.
    """
    wanted, other = theirs.manifest.experiment, ours.manifest
    if wanted != other.experiment:
        raise UsageError(f"run {other.run} is one of {other.experiment}; --against needs one of {wanted}")
