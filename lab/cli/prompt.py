"""lab prompt: Mininet's prompt on a lab that is up."""

from __future__ import annotations

from lab.cli.options import LabName, LabOption, chosen_lab
from lab.cli.process import need_root


def command(name: LabName = "", lab: LabOption = "") -> None:
    """Open Mininet's prompt (mininet>) on a lab that is up.

    Needs root. The lab stays up when you leave the prompt.

    Example: sudo lab prompt class
    """
    from lab.app.run import prompt
    from lab.emulation.emulation import Emulation

    need_root("prompt")
    prompt(Emulation.attach(chosen_lab(name, lab)))
