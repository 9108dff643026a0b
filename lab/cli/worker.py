"""lab worker: let this machine measure blocks of runs that are spread over machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Certificates, Insecure
from lab.cli.process import need_root, wait
from lab.errors import MachineError, UsageError


def command(
    scheduler: Annotated[str, typer.Argument(help="tcp://HOST:PORT or tls://HOST:PORT.")] = "",
    name: Annotated[str, typer.Option(help="The machine's name in results. Default: its host name.")] = "",
    certificates: Certificates = None,
    insecure: Insecure = False,
    make_certificates: Annotated[
        Path | None,
        typer.Option("--make-certificates", help="Make certificates in this new folder, and end."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when the scheduler ends. Default: wait for the next one.")
    ] = False,
    share_machine: Annotated[
        bool,
        typer.Option("--share-machine", help="Allow other workers on this machine: for trials."),
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where blocks are kept until the client has them.")
    ] = None,
) -> None:
    """Measure blocks of runs that 'lab run --on' spreads over machines.

    Needs root. Checks and cleans this machine first, then joins a scheduler of Dask, and measures one block
    at a time. It runs only blocks of the lab. Ctrl-C removes the lab.

    Example: sudo lab worker tls://192.0.2.1:8786 --certificates /etc/lab/certificates
    """
    from lab.spread import require

    require()
    if make_certificates is not None:
        from lab.spread.security import make_certificates as make

        for file in make(make_certificates):
            typer.echo(file)
        return
    if not scheduler:
        raise UsageError("which scheduler? give tcp://HOST:PORT or tls://HOST:PORT, or --make-certificates")
    from lab.spread import serving
    from lab.spread.security import check
    from lab.util.locks import machine_lock_if_free

    security = check(scheduler, certificates, insecure)
    need_root("worker", scheduler)
    seat = serving.Seat(scheduler, name, security, str(folder or ""), once)
    with machine_lock_if_free(f"worker-{seat.called}" if share_machine else "worker") as free:
        if not free:
            raise MachineError("a worker runs here already, and a second lab would disturb its own")
        wait(serving.serve(seat, typer.echo), "the lab was removed")
