"""The command line: one module per verb in `lab.cli`, found by its name.

A verb's module has a function `command`, whose docstring is the help; a module with
sub-verbs has a `typer.Typer` named `app` instead. Modules of verbs import what is heavy
(matplotlib, scipy, docker) inside their functions, so that every verb starts at once.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import lab.cli
from lab.errors import LabError, UnknownName
from lab.util.documents import printable

#: How the module of a verb differs from those that verbs share; to import all of them takes far longer.
VERB = re.compile(r"^(?:def command|app = typer\.Typer)\(", re.MULTILINE)


@cache
def verbs() -> dict[str, str]:
    """Return the module of every verb, by the name as typed; `list` and the like end in an underscore."""
    files = (path for folder in lab.cli.__path__ for path in sorted(Path(folder).glob("*.py")))
    found = [path.stem for path in files if path.stem != "main" and VERB.search(path.read_text("utf-8"))]
    return {name.rstrip("_").replace("_", "-"): name for name in found}


class Verbs(TyperGroup):
    """Imports the module of a verb only when that verb, or the list of all, is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(verbs())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in verbs():
            raise UnknownName("verb", cmd_name, verbs())
        module = importlib.import_module(f"lab.cli.{verbs()[cmd_name]}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(name=cmd_name)(module.command)
        return typer.main.get_command(app)


app = typer.Typer(
    cls=Verbs,
    name="lab",
    no_args_is_help=True,
    add_completion=False,
    help="Emulate wide-area networks of Docker hosts, put overlay networks on them, and measure.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Emulate wide-area networks of Docker hosts, put overlay networks on them, and measure."""


def run() -> None:
    """Run the command line; a `LabError` becomes one line on stderr and status 1."""
    try:
        app()
    except LabError as error:
        print(f"lab: {printable(error)}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(printable(f"lab: {error.strerror or error}{where}; {_remedy()}"), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        sys.exit(130)


def _remedy() -> str:
    """Say what is left of a lab of this process, or of one that is gone; claim nothing that was not seen."""
    from lab.emulation.ownership import labs

    ours = [state for state in labs() if not state.alive() or state.owned_by(os.getpid())]
    if ours:
        names = " and ".join(state.lab_id for state in ours)
        return f"lab {names} was not taken away whole: 'lab cleanup' does so once this is mended"
    return "'lab doctor' tells more"
