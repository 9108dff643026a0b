"""What the verbs share that work on labs which are up."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from lab.errors import LabError, MachineError

if TYPE_CHECKING:
    from lab.emulation.registry import Record
    from lab.events import Emit

T = TypeVar("T")


def wait(work: Coroutine[Any, Any, T]) -> T:
    """The work's result; what a signal ends has cleaned up when this returns.

    Raises:
        KeyboardInterrupt: a signal came; the command line says so.
    """
    from lab.util.signals import cancel_on_signal

    try:
        return asyncio.run(cancel_on_signal(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextmanager
def changing(record: Record, emit: Emit) -> Iterator[None]:
    """Hold the lock of a lab that stays up, to change it.

    Raises:
        LabError: it is another command's, or was taken down while this one waited.
    """
    from lab.util.locks import lab_lock

    refuse_owned(record)
    if not record.rebooted and not record.state.stays():
        raise LabError(f"the command that made lab {record.name} was killed; 'lab cleanup' takes it away")
    if record.rebooted:
        yield  # nothing of it runs; who takes it up says so
        return
    with lab_lock(record.state.folder, record.name, emit):
        yield


def owned(record: Record) -> bool:
    """Whether a lab belongs to a command that still runs."""
    owner = record.state.owner()
    return owner is not None and owner.alive() and not record.rebooted


def refuse_owned(record: Record) -> None:
    """Return when a lab belongs to no command that runs.

    Raises:
        LabError: names the command that it belongs to.
    """
    if owned(record):
        owner = record.state.owner()
        raise LabError(
            f"lab {record.name} belongs to process {owner.pid if owner else '?'} ({record.state.command}), "
            f"which takes it away when it ends"
        )


def need_root(verb: str) -> None:
    """Return when this is root.

    Raises:
        MachineError: it is not; says what to type.
    """
    if os.geteuid() != 0:
        raise MachineError(f"{verb} needs root: sudo {sys.executable} -m lab {verb} …")
