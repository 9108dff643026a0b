"""lab view: a lab or a run in the browser."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import LabOption, chosen_lab
from lab.cli.process import need_root


def command(
    what: Annotated[
        str, typer.Argument(help="A lab, or the folder of a run. Default: the only lab that is up.")
    ] = "",
    lab: LabOption = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1. 0: any that is free.")] = 0,
    interval: Annotated[
        float, typer.Option(min=0.2, max=60, help="Seconds between two readings of the lab.")
    ] = 1.0,
    control: Annotated[
        bool, typer.Option("--control", help="Let the page change links, capture packets and open shells.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a run as one HTML file, and start no server.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Show a lab or a run in the browser.

    Needs root for a lab. Prints an address of this machine, with a token. Everybody with this address
    can look. Ends with Ctrl-C. With --output, it writes a recorded run as one page that needs no server.

    Example: sudo lab view class
    """
    from lab.feed.named import LabSource, is_run, source_of

    what = chosen_lab(what, lab)
    if output is not None:
        _save(what, output, force)
        return
    if not is_run(what):
        need_root("view", what)
    from lab.view import questions
    from lab.view.control import refused
    from lab.view.control import routes as orders_of_page
    from lab.view.figures import FigureSource
    from lab.view.listen import ADDRESS, bound, serve
    from lab.view.server import PageServer

    source = source_of(what)
    listening = bound(port)
    number, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    orders = orders_of_page() if control else refused()
    of_lab = source.lab if isinstance(source, LabSource) else ""
    answers = [*questions.routes(), *orders]
    figures = FigureSource((lambda: source.run) if isinstance(source, LabSource) else (lambda: source))
    server = PageServer([source, figures], token, number, interval, control, of_lab, answers)
    print(f"http://{ADDRESS}:{number}/?token={token}", flush=True)
    asyncio.run(serve(server.app(), listening))


def _save(what: str, output: Path, force: bool) -> None:
    from lab.errors import UsageError
    from lab.feed.named import is_run, lines_of
    from lab.feed.objects import loads
    from lab.runs.run_folder import read
    from lab.util.files import write
    from lab.view.figures import stored
    from lab.view.page import saved

    if not is_run(what):
        raise UsageError("--output is for a run: name its folder, as in: lab view results/RUN -o run.html")
    folder = Path(what)
    lines = list(lines_of(folder))
    lines += stored(folder, read(folder).manifest.run, float(loads(lines[-1])["t"])) if lines else []
    write({output: saved(lines).encode()}, force=force)
    print(output)
