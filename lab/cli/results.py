"""lab results: a run's samples for other programs; its checks; its values derived again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import RunError, UsageError

if TYPE_CHECKING:
    from lab.runs.run_folder import StoredRun


def command(
    run: Annotated[Path, typer.Argument(help="A run folder, or a pack.")],
    csv: Annotated[bool, typer.Option("--csv", help="Write the samples as CSV.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the samples as Parquet (needs pyarrow).")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file. Default: samples.csv in the run folder, or here."),
    ] = None,
    reparse: Annotated[
        bool, typer.Option("--reparse", help="Compute every value again from the raw outputs.")
    ] = False,
) -> None:
    """Check a run folder or a pack, print its tables, and write its samples for other programs.

    It measures nothing and never changes the stored samples. The exit code is 1 if the folder
    is not complete.

    Example: lab results results/multihop-… --csv
    """
    from lab.runs.pack import is_pack, runs_in
    from lab.util import files
    from lab.util.documents import guarded, printable

    if csv and parquet:
        raise UsageError("--csv and --parquet write two files; use one after the other")
    kind = "parquet" if parquet else "csv" if csv else ""
    sentences: list[str] = []
    with runs_in(run) as runs, guarded(str(run), RunError):
        if kind and output and len(runs) > 1:
            raise UsageError(f"{run} has {len(runs)} runs, which -o would write into one file; leave it out")
        for found in runs:
            own = Path(f"{found.path.name}.{kind}")
            place = own if is_pack(run) else files.within(found.path, f"samples.{kind}")
            sentences += _told(found, kind, reparse, output or place)
    for sentence in sentences:
        print(printable(sentence), file=sys.stderr)
    sys.exit(1 if sentences else 0)


def _told(found: StoredRun, kind: str, reparse: bool, file: Path) -> list[str]:
    """Print what a run holds, or write it as a file of this kind; return what is not as it should be."""
    from dataclasses import replace

    from lab.app.request import load_experiment
    from lab.cli.console import result_tables, show
    from lab.report import export
    from lab.runs import run_folder_check

    experiment = load_experiment(found.manifest.experiment)
    differences: list[str] = []
    if reparse:
        pairs = list(export.reparsed(found, experiment))
        found = replace(found, samples=[sample for sample, _ in pairs])
        differences = [sentence for _, sentence in pairs if sentence]
        print(f"{len(pairs)} samples parsed again, {len(differences)} of them not as stored", file=sys.stderr)
    if kind:
        (export.write_csv if kind == "csv" else export.write_parquet)(found.samples, file)
        print(file)
    else:
        for table in result_tables(experiment, found):
            show(table)
            print()
    return differences + run_folder_check.faults(found, experiment)
