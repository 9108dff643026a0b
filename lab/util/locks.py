"""One at a time: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lab.errors import LabError
from lab.events import Emit, Note
from lab.util.paths import STATE


@contextmanager
def machine_lock(name: str, emit: Emit, doing: str) -> Iterator[None]:
    """Hold the machine-wide lock `name`; reports when another process has it, and waits."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{name}.lock").open("w") as lock:
        _wait_for(lock, emit, lambda: f"another process is {doing}")
        yield


@contextmanager
def machine_lock_if_free(name: str) -> Iterator[bool]:
    """Hold the machine-wide lock `name` and yield True; where another process has it, yield False at once."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def lab_lock(folder: Path, name: str, emit: Emit) -> Iterator[None]:
    """Hold the lock of one lab, in its folder; every change of the lab holds it.

    Says who has it when another process does, and waits for that one.

    Raises:
        LabError: the lab was taken down meanwhile.
    """
    with (folder / "lock").open("a+") as lock:
        _wait_for(lock, emit, lambda: f"lab {name} is in the hands of {_holder(lock)}")
        if not (folder / "lock").exists():
            raise LabError(f"lab {name} was removed by another command; bring it up again")
        lock.truncate(0)
        lock.write(f"process {os.getpid()} ({' '.join(sys.argv)})")
        lock.flush()
        yield


def _holder(lock: TextIO) -> str:
    lock.seek(0)
    return lock.read() or "another process"


def _wait_for(lock: TextIO, emit: Emit, busy: Callable[[], str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        emit(Note(f"{busy()}; waiting for it"))
        fcntl.flock(lock, fcntl.LOCK_EX)
