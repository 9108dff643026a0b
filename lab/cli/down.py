"""lab down: remove a lab that was left up."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.lab_lock import owned, refuse_owned
from lab.cli.options import LabName, LabOption, chosen_lab
from lab.cli.process import need_root, wait
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.emulation.registry import Record
    from lab.events import Emit


def command(
    name: LabName = "",
    lab: LabOption = "",
    all_: Annotated[
        bool, typer.Option("--all", help="All labs, except those that a running command uses.")
    ] = False,
) -> None:
    """Remove a lab from this machine: containers, links, processes.

    Needs root. Works in any state of the lab. Does not touch a lab whose command still runs.

    Example: sudo lab down class
    """
    from lab.cli.console import progress
    from lab.emulation.registry import find_any, records

    name = chosen_lab(name, lab)
    need_root("down", name)
    if name and all_:
        raise UsageError("give the name of a lab or --all, not both")
    known = records()
    chosen = [one for one in known if not owned(one)] if all_ else [find_any(name, known)]
    with progress() as emit:
        for record in known:
            if record not in chosen and all_:
                print(f"lab {record.name} is left alone: its command still runs")
        for record in chosen:
            down(record, emit)
    if all_ and not chosen:
        print("no lab is up")


def down(record: Record, emit: Emit) -> None:
    """Remove one lab, also half of one, and the rest of a lab after a restart of the machine."""
    from lab.util.locks import lab_lock

    refuse_owned(record)
    if lost(record):
        wait(_remove(record, emit))
    else:
        with lab_lock(record.state.folder, record.name, emit):
            record.state.own(os.getpid())  # should this be killed, clean-up ends what it began
            wait(_remove(record, emit))
    print(f"lab {record.name} is down")


def lost(record: Record) -> bool:
    """Return True when only the record of a lab is left, and perhaps containers that do not run."""
    return record.rebooted or not record.state.folder.exists()


async def _remove(record: Record, emit: Emit) -> None:
    from lab.emulation import cleanup
    from lab.emulation.docker.daemon import Daemon
    from lab.events import step

    daemon = Daemon(emit=emit)
    if record.damaged or record.state.owned("container") or any(not host.light for host in record.hosts):
        await asyncio.to_thread(daemon.ensure)
    try:
        with step(emit, "teardown") as words:
            done = await (cleanup.remove_lost(record) if lost(record) else cleanup.remove(record.state))
            words.append(f"{len(done)} objects")
    finally:
        await asyncio.to_thread(daemon.release)
