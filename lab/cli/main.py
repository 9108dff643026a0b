"""The command line: one module per verb in `lab.cli`, found by its name.

A verb's module has a function `command`, whose docstring is the help; a module with
sub-verbs has a `typer.Typer` named `app` instead. Modules of verbs import what is heavy
(matplotlib, scipy, docker) inside their functions, so that every verb starts at once.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import lab.cli
from lab.cli import former
from lab.cli.former import Verb
from lab.errors import ExitCode, LabError, UnknownName, UsageError
from lab.util import invoker
from lab.util.documents import printable

#: How the module of a verb differs from those that verbs share; to import all of them takes far longer.
VERB = re.compile(r"^(?:def command|app = typer\.Typer)\(", re.MULTILINE)
#: A verb that is another one by a second name.
SAME = {"run": "emulate"}
#: The verbs of the help page, by subject.
PANELS = {
    "Labs": (
        *("up", "down", "ps", "link", "exec", "shell", "prompt", "logs", "ping-all"),
        *("capture", "calibrate", "cleanup"),
    ),
    "Experiments": ("run", "emulate", "worker", "capacity", "packetcost"),
    "See it": ("view", "events"),
    "Results": ("results", "report", "pack", "verify", "reproduce"),
    "Topologies": ("list", "show", "graph", "validate", "export", "export-dsl"),
    "Real machines": ("testbed",),
    "This machine": ("doctor", "images"),
}
EPILOG = (
    "Commands that build, enter, change or remove a lab need root: sudo lab VERB …\n\n"
    "'lab VERB --help' has the options and an example of each."
)


@cache
def verbs() -> dict[str, str]:
    """Return the module of every verb, by the name as typed; `list` and the like end in an underscore."""
    files = (path for folder in lab.cli.__path__ for path in sorted(Path(folder).glob("*.py")))
    found = [path.stem for path in files if path.stem != "main" and VERB.search(path.read_text("utf-8"))]
    named = {name.rstrip("_").replace("_", "-"): name for name in found}
    # the modules of verbs that are sub-verbs now have their former names
    named = {name: module for name, module in named.items() if name not in former.VERBS}
    return named | {name: named[same] for name, same in SAME.items()}


class Verbs(TyperGroup):
    """Imports the module of a verb only when that verb, or the list of all, is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        listed = [name for names in PANELS.values() for name in names]
        return listed + sorted(verbs().keys() - set(listed))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and (new := former.VERBS.get(args[0])):
            if not ctx.resilient_parsing:
                former.tell(args[0], new)
            args = [*new.split(), *args[1:]]
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in verbs():
            if ctx.resilient_parsing:  # a shell completes the line
                return None
            raise UsageError(str(UnknownName("verb", cmd_name, verbs())))
        module = importlib.import_module(f"lab.cli.{verbs()[cmd_name]}")
        app = getattr(module, "app", None)
        if app is None:
            words = inspect.getdoc(module.command) or ""
            if same := SAME.get(cmd_name):
                words = words.replace(f"lab {same}", f"lab {cmd_name}")
            app = typer.Typer(add_completion=False)
            app.command(name=cmd_name, cls=Verb, help=words)(module.command)
        found: Any = typer.main.get_command(app)
        found.rich_help_panel = next((panel for panel, names in PANELS.items() if cmd_name in names), None)
        return found


app = typer.Typer(
    cls=Verbs,
    name="lab",
    no_args_is_help=True,
    help="Emulate wide-area networks of Docker hosts, put overlay networks on them, and measure.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from lab.util.version import version

        typer.echo(f"lab {version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Emulate wide-area networks of Docker hosts, put overlay networks on them, and measure."""


def run() -> None:
    """Run the command line; a `LabError` becomes one line on stderr and its exit code."""
    if invoker.ids():  # root's files in the folders of modules would be in his way
        sys.dont_write_bytecode = True
    try:
        app()
    except LabError as error:
        print(f"lab: {printable(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(printable(f"lab: {error.strerror or error}{where}{_remedy(error)}"), file=sys.stderr)
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)


def _remedy(error: OSError) -> str:
    """Say what is left of a lab of this process, or of one that is gone; claim nothing that was not seen."""
    from lab.emulation.ownership import labs

    ours = [state for state in labs() if not state.alive() or state.owned_by(os.getpid())]
    if ours:
        names = " and ".join(state.lab_id for state in ours)
        return f"; lab {names} was not removed completely: solve this problem, then run 'lab cleanup'"
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return "; name another place, or repeat the command with sudo"
    return "; 'lab doctor' tells more"
