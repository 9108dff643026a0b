"""lab shell: a shell in a host or an endpoint of a lab that is up."""

from __future__ import annotations

import os
import sys

from lab.cli.options import LabOption, Place
from lab.cli.process import need_root


def command(place: Place, lab: LabOption = "") -> None:
    """Open a shell in a host or in an endpoint.

    Needs root. The shell is bash if the host has it, else sh.

    Example: sudo lab shell AMS
    """
    from lab.emulation.registry import find
    from lab.live.enter import entry

    need_root("shell")
    where = entry(find(lab), place)
    argv = where.shell(terminal=sys.stdin.isatty())
    os.execvpe(argv[0], argv, dict(where.shell_environment(os.environ)))
