"""The lock of a lab that is up, and the command that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.emulation.registry import Record
    from lab.events import Emit


@contextmanager
def changing(record: Record, emit: Emit) -> Iterator[None]:
    """Hold the lock of a lab that stays up, to change it.

    Raises:
        LabError: it is another command's, or was taken down while this one waited.
    """
    from lab.util.locks import lab_lock

    refuse_owned(record)
    if not record.rebooted and not record.state.stays():
        raise LabError(f"the command that made lab {record.name} was killed; 'lab cleanup' removes it")
    # after a restart nothing of it runs; who takes it up says so
    with nullcontext() if record.rebooted else lab_lock(record.state.folder, record.name, emit):
        yield


def owned(record: Record) -> bool:
    """Return True when a lab belongs to a command that still runs."""
    owner = record.state.owner()
    return owner is not None and owner.alive() and not record.rebooted


def refuse_owned(record: Record) -> None:
    """Check that a lab belongs to no running command.

    Raises:
        LabError: names the command that it belongs to.
    """
    if owned(record):
        owner = record.state.owner()
        raise LabError(
            f"lab {record.name} belongs to process {owner.pid if owner else '?'} ({record.state.command}), "
            f"which removes it when it ends"
        )
