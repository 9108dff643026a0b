"""lab cli: Mininet's prompt on a lab that is up."""

from __future__ import annotations

from lab.cli.options import LabName
from lab.cli.process import need_root


def command(name: LabName = "") -> None:
    """Open the mininet> prompt on a lab that is up; the lab stays when it is left. Needs root.

    Example: sudo python -m lab cli class
    """
    from lab.app.run import prompt
    from lab.emulation.emulation import Emulation

    need_root("cli")
    prompt(Emulation.attach(name))
