"""lab view: a lab or a run in the browser."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from lab.cli.process import need_root, wait


def command(
    what: Annotated[
        str, typer.Argument(help="A lab, or the folder of a run. Default: the only lab that is up.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1. 0: any that is free.")] = 0,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    control: Annotated[
        bool, typer.Option("--control", help="The page may change links, capture, and open shells.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a run as one HTML file, and start no server.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Show a lab or a run in the browser.

    Needs root for a lab. Prints an address of this machine, with a token: who has it can look. Ends with
    Ctrl-C. With --output, it writes a recorded run as one page that needs no server.

    Example: sudo python -m lab view class
    """
    from lab.view.listen import ADDRESS, bound, serve
    from lab.view.sources import sources_of

    need_root("view", what)
    sources = sources_of(what)
    from lab.view.server import PageServer

    listening = bound(port)
    number, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    server = PageServer(sources, token, number, interval, control)
    print(f"http://{ADDRESS}:{number}/?token={token}", flush=True)
    wait(serve(server.app(), listening))
