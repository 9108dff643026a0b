"""lab verify: a pack of runs is whole, and says what its files say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(file: Annotated[Path, typer.Argument(metavar="PACK", help="An archive of 'lab pack'.")]) -> None:
    """Check a pack: its checksums, its format, its runs, and the answers to claims.

    It prints what the pack has. The exit code is 1 if something differs from what was packed. If this version
    of the lab answers a claim in another way, it prints that. This is not a fault.

    Example: lab verify theirs.pack.zip
    """
    from lab.app import packing
    from lab.errors import PackError
    from lab.runs import pack
    from lab.util.documents import guarded, printable

    with pack.opened(file) as whole, guarded(str(file), PackError):
        found = packing.verify(whole)
        print(printable(f"{file}: pack {whole.id[:12]}, version {pack.VERSION}, {whole.files} files"))
    for sentence in found.contents:
        print(printable(sentence))
    for sentence in (*found.notes, *found.faults):
        print(printable(sentence), file=sys.stderr)
    sys.exit(1 if found.faults else 0)
