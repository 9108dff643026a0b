"""lab reproduce: measure a packed run again here, and compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.process import need_root, wait
from lab.errors import ExitCode

if TYPE_CHECKING:
    from lab.runs.run_folder import StoredRun


def command(
    file: Annotated[Path, typer.Argument(metavar="PACK", help="A pack, or a run folder.")],
    run: Annotated[str, typer.Option("--run", help="Id of one run, if the pack has several.")] = "",
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Compare with this run folder, and measure nothing."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("results"),
) -> None:
    """Measure a packed run again on this machine, and print both results beside each other.

    The topology, the rate, the overlays, the cells, their order and the clock are those of the pack.
    Tables show both runs with intervals, the conditions that differ, and for each claim if its
    answer is the same. The exit code is 1 if one claim has another answer, and 3 if no claim has an
    answer in both runs. Needs root to measure.

    Example: sudo lab reproduce theirs.pack.zip
    """
    from lab.app.reproduction import chosen, require_same
    from lab.runs.pack import runs_in
    from lab.runs.run_folder import read

    with runs_in(file) as runs:
        theirs = chosen(runs, run)
        ours = read(against if against else _measured(theirs, file, results))
        require_same(theirs, ours)
        sys.exit(_compared(theirs, ours))


def _measured(theirs: StoredRun, file: Path, results: Path) -> Path:
    """Measure what a run measured; returns the new run's folder."""
    from lab.app import run, virtual
    from lab.app.reproduction import definition
    from lab.cli.console import progress

    request, plan = definition(theirs, results)
    need_root("reproduce", str(file))
    emulate = virtual.emulate if request.clock == "virtual" else run.emulate
    with progress() as emit:
        return wait(emulate(request, plan, emit), "everything was removed")[1]


def _compared(theirs: StoredRun, ours: StoredRun) -> ExitCode:
    """Print both runs beside each other, and write a page of them beside the new one."""
    from lab.app.request import load_experiment
    from lab.cli.console import show
    from lab.cli.report import write_page
    from lab.errors import RunError
    from lab.report import comparison, reproduction
    from lab.util import files
    from lab.util.documents import guarded

    page = files.within(ours.path, "reproduction.html")
    with guarded(str(theirs.path), RunError):
        found = reproduction.pairs(load_experiment(ours.manifest.experiment).claims, theirs, ours)
        tables = [*comparison.tables([theirs, ours]), reproduction.table(found, theirs, ours)]
        write_page([theirs, ours], page)
    for table in tables:
        print()
        show(table)
    print("", page, sep="\n")
    agreed = {pair.agreement for pair in found}
    if "another answer" in agreed:
        return ExitCode.FAILED
    return ExitCode.DONE if "the same answer" in agreed else ExitCode.CANNOT_TELL
