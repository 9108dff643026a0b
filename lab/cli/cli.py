"""lab cli: Mininet's prompt on a lab that is up."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="Which lab; needed only where several are up.")] = "",
) -> None:
    """Open the mininet> prompt on a lab that is up; the lab stays when it is left. Needs root.

    Example: sudo python -m lab cli class
    """
    from lab.app.run import prompt
    from lab.cli.lab_lock import need_root
    from lab.emulation.emulation import Emulation

    need_root("cli")
    prompt(Emulation.attach(name))
