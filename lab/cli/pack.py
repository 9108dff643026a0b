"""lab pack: runs as one archive for others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The archive. Default: NAME.pack.zip beside a single run, else runs.pack.zip.",
        ),
    ] = None,
    terms: Annotated[
        str, typer.Option("--license", help="Address of the licence under which you give the data to others.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the archive.")] = False,
) -> None:
    """Pack runs into one archive, with all that is needed to check or to repeat them.

    The archive is a ZIP file and an RO-Crate. It has the topology, the samples, the raw outputs, the
    manifest, the versions, the answers to claims and the data of the figures. The same runs give the
    same bytes. Logs, and what real hosts printed, stay in the run folder.

    Example: lab pack results/multihop-… -o mine.pack.zip
    """
    from lab.app import packing
    from lab.util.documents import printable

    one = runs[0].resolve()
    file = output or (one.parent / f"{one.name}.pack.zip" if len(runs) == 1 else Path("runs.pack.zip"))
    packed = packing.write(runs, file, terms=terms, force=force)
    for sentence in packed.notes:
        print(printable(sentence), file=sys.stderr)
    print(packed.file)
