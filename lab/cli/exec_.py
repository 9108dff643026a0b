"""lab exec: run a command in a host or an endpoint of a lab that is up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lab.errors import CommandError

#: Exit status of a shell for a program that is not there.
NO_PROGRAM = 127


def command(
    place: Annotated[str, typer.Argument(help="HOST, or HOST/ENDPOINT: an overlay's name.")],
    argv: Annotated[list[str], typer.Argument(help="The command, after '--'.")],
    lab: Annotated[str, typer.Option("--lab", "-l", help="Which lab, where several are up.")] = "",
) -> None:
    """Run a command in a host or in an endpoint, with this terminal's input and output. Needs root.

    Ends with the command's own status.

    Example: sudo python -m lab exec AMS/flannel -- ping -c 3 10.100.2.2
    """
    from lab.cli.lab_lock import need_root
    from lab.emulation.registry import find
    from lab.live.enter import entry

    need_root("exec")
    way = entry(find(lab), place)
    full = way.command(argv)
    try:
        os.execvpe(full[0], full, dict(way.environment()))
    except OSError as error:
        raise CommandError(place, argv, NO_PROGRAM, "", error.strerror or "it cannot be run") from error
