"""lab shell: a shell in a host or an endpoint of a lab that is up."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def command(
    place: Annotated[str, typer.Argument(help="HOST, or HOST/ENDPOINT: an overlay's name.")],
    lab: Annotated[str, typer.Option("--lab", "-l", help="Which lab, where several are up.")] = "",
) -> None:
    """Open a shell in a host or in an endpoint: bash where it has one, else sh. Needs root.

    Example: sudo python -m lab shell AMS
    """
    from lab.cli.lab_lock import need_root
    from lab.emulation.registry import find
    from lab.live.enter import entry

    need_root("shell")
    argv = entry(find(lab), place).shell(terminal=sys.stdin.isatty())
    os.execvp(argv[0], argv)
