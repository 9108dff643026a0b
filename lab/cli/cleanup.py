"""lab cleanup: remove what a killed lab left on the machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.process import need_root
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.emulation.docker.daemon import Daemon
    from lab.emulation.ownership import LabState


def command(
    all_: Annotated[
        bool,
        typer.Option("--all", help="Also labs whose command still runs, and labs that are meant to stay up."),
    ] = False,
) -> None:
    """Remove what killed labs left on this machine: containers, namespaces, links, processes.

    Needs root. It removes only what a lab recorded, and nothing else. It leaves
    a lab alone if its command still runs, or if it is meant to stay up. --all removes those too.

    Example: sudo lab cleanup
    """
    need_root("cleanup", "")
    done, failed = asyncio.run(_clean(all_))
    for words in done:
        typer.echo(f"removed {words}")
    if not done and not failed:
        typer.echo("nothing to remove")
    if failed:
        raise failed[0]


async def _clean(everything: bool) -> tuple[list[str], list[LabError]]:
    from lab.emulation import cleanup
    from lab.emulation.docker.daemon import Daemon, serving
    from lab.emulation.ownership import labs, remove_unfinished
    from lab.emulation.registry import records
    from lab.images import roots
    from lab.virtual.box import remove_mount_point

    remove_unfinished()
    remove_mount_point()
    states = [state for state in labs() if everything or not state.alive()]
    for state in labs():
        if state.alive() and not everything:
            typer.echo(_why_left(state))
    known = {state.lab_id for state in labs()}
    lost = [record for record in records() if record.rebooted and record.lab_id not in known]
    daemon, needed = Daemon(), any(state.owned("container") for state in states)
    needed |= any(one.damaged or not all(host.light for host in one.hosts) for one in lost)
    failed = await asyncio.to_thread(_start, daemon, needed=needed)
    done, others = await cleanup.remove_all(states)
    failed += others
    for record in lost:
        try:
            done += await cleanup.remove_lost(record)
        except LabError as error:
            failed.append(error)
    if daemon.serves():
        done += await cleanup.remove_orphans()
    done += await asyncio.to_thread(roots.remove_interrupted, serving)
    if await asyncio.to_thread(daemon.release):
        done.append("the Docker daemon that a lab had started")
    return done, failed


def _start(daemon: Daemon, *, needed: bool) -> list[LabError]:
    """Start Docker where it is needed, or a lab's own has died, and return why it does not start."""
    if needed or daemon.died():
        try:
            daemon.ensure()
        except LabError as error:  # what is no container is removed all the same
            return [error]
    return []


def _why_left(state: LabState) -> str:
    from lab.emulation.registry import read

    record = read(state.lab_id)
    name = record.name if record else state.lab_id
    why = "its command still runs (see --all)"
    if state.stays():
        why = f"it is meant to stay up ('lab down {name}' removes it)"
    return f"lab {name} is left alone: {why}"
