"""Programs of this machine that run for minutes, as builds do: they end with this process, however that ends.

A program is in a session of its own with all that it starts. A shell in that session is told by the kernel
when this process is gone, also by ``kill -9``, and then kills the session.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, Popen
from typing import TypeVar

T = TypeVar("T")
#: The shell: it waits for the program, and for the signal that says that this process is gone.
_GUARD = 'trap "kill -KILL 0" TERM; "$@" & wait $!'
_running = set[Popen[str]]()


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    held: Sequence[int] = (),
) -> CompletedProcess[str]:
    """Run a program to its end.

    Args:
        argv: the program.
        cwd: where it runs.
        timeout: how long it may take (s).
        env: its environment; this process's own where it is None.
        held: files that are open for it too: a lock on one of them holds until the program is gone.

    Raises:
        subprocess.TimeoutExpired: it had not ended.
    """
    guarded = ["setpriv", "--pdeathsig", "TERM", "sh", "-c", _GUARD, "sh", *argv]
    process = Popen(
        guarded,
        cwd=cwd,
        env=env,
        text=True,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
        pass_fds=held,
    )
    _running.add(process)
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        _running.discard(process)
        if process.poll() is None:
            _kill(process)
            process.communicate()
    return CompletedProcess(argv, process.returncode, out, err)


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread; when this is cancelled, end its running programs."""
    try:
        return await asyncio.to_thread(function)
    except asyncio.CancelledError:
        for process in list(_running):
            _kill(process)
        raise


def _kill(process: Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
