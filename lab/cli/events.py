"""lab events: what happens in a lab or a run, as lines of JSON or as metrics."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import LabOption, chosen_lab
from lab.cli.process import need_root, wait
from lab.errors import MachineError, UsageError

if TYPE_CHECKING:
    from lab.feed.source import FeedSource


def command(
    what: Annotated[
        str, typer.Argument(help="A lab, or the folder of a run. Default: the only lab that is up.")
    ] = "",
    lab: LabOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, help="Seconds between two readings of the lab.")
    ] = 1.0,
    prometheus: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Serve metrics at HOST:PORT, or at a port of 127.0.0.1.")
    ] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the objects.")] = False,
) -> None:
    """Print what happens in a lab or a run, one object per line.

    Needs root for a lab. Without --follow it prints the present state, and ends.

    Example: sudo lab events class --json --follow | jq -c 'select(.kind == "event")'
    """
    if schema:
        from lab.feed.objects import schema as text

        print(text(), end="")
        return
    if not (as_json or prometheus):
        raise UsageError("say what you want: --json for lines, --prometheus ADDRESS for metrics, or --schema")
    from lab.feed.named import is_run, once, source_of

    what = chosen_lab(what, lab)
    if not is_run(what):
        need_root("events", f"{what} --json")
    source = source_of(what)
    try:
        if prometheus:
            wait(_serve(source, prometheus, interval))
        elif follow:
            wait(_follow(source, interval))
        else:
            for plain in once(source, lambda: time.sleep(interval)):
                _print(plain)
    except BrokenPipeError:
        pass  # the reader has gone
    finally:
        source.close()


def _print(plain: dict[str, object]) -> None:
    from lab.feed.hub import dumps

    print(dumps(plain), flush=True)


async def _follow(source: FeedSource, interval: float) -> None:
    from lab.feed.hub import Hub
    from lab.feed.source import pump

    hub = Hub()
    reader = hub.join()
    looking = asyncio.create_task(pump([source], hub, interval))
    try:
        while not looking.done():
            for item in await reader.take():
                print(item.text, flush=True)
    finally:
        looking.cancel()


async def _serve(source: FeedSource, where: str, interval: float) -> None:
    from prometheus_client import start_http_server

    from lab.feed.hub import Hub
    from lab.feed.prometheus import address, registry
    from lab.feed.source import pump

    host, port = address(where)
    hub = Hub()
    hub.join()
    try:
        server, _ = start_http_server(port, host, registry(hub))
    except OSError as error:
        raise MachineError(f"metrics cannot be served at {where} ({error.strerror}); name another") from error
    print(f"http://{host}:{port}/metrics", flush=True)
    try:
        await pump([source], hub, interval)
    finally:
        server.shutdown()
