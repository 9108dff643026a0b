"""lab exec: run a command in a host or an endpoint of a lab that is up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lab.cli.options import LabOption, Place
from lab.cli.process import need_root
from lab.errors import CommandError


def command(
    place: Place,
    argv: Annotated[list[str], typer.Argument(help="The command, after '--'.")],
    lab: LabOption = "",
) -> None:
    """Run a command in a host or in an endpoint.

    Needs root. The command gets this terminal's input and output. 'lab exec' ends with the exit code
    of the command.

    Example: sudo lab exec AMS/flannel -- ping -c 3 10.100.2.2
    """
    from lab.emulation.registry import find
    from lab.live.enter import entry

    need_root("exec")
    where = entry(find(lab), place)
    full = where.command(argv)
    try:
        os.execvpe(full[0], full, dict(where.environment()))
    except OSError as error:  # 127: as a shell ends when a program is not there
        raise CommandError(place, argv, 127, "", error.strerror or "it cannot be run") from error
