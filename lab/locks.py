"""One at a time: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from lab.events import Emit, Note
from lab.places import STATE


@contextmanager
def alone(name: str, emit: Emit, doing: str) -> Iterator[None]:
    """Hold the machine-wide lock `name`; says so when another process has it, and waits."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            emit(Note(f"another process is {doing}; waiting for it"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
