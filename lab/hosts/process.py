"""The one function that runs a process of this machine; everybody who runs one is given it.

A test gives another function in its place, and `Trace` one that also writes down what ran.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Protocol

from lab.errors import CommandError, HostTimeout
from lab.hosts.base import Result

#: The name under which this machine itself stands in errors and traces.
MACHINE = "this machine"


class Run(Protocol):
    """Runs a command of this machine; `on` is the host that it is meant for."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        on: str = MACHINE,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result: ...


async def run(
    argv: Sequence[str],
    *,
    on: str = MACHINE,
    timeout: float = 60.0,
    check: bool = True,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a command to its end, in a process group that dies with a timeout or a cancellation.

    Raises:
        CommandError: `check` is set and the status is not zero, or there is no such program.
        HostTimeout: it had not ended after `timeout` seconds.
    """
    start = monotonic()
    source = _as_file(stdin)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=source if source is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **env} if env else None,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise CommandError(on, argv, 127, "", f"{argv[0]} is not installed") from error
    finally:
        if source is not None:
            os.close(source)
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    except TimeoutError as error:
        raise HostTimeout(f"{on}: {shlex.join(argv)[:300]} had not ended after {timeout:g} s") from error
    finally:
        await _end(process)
    status = process.returncode if process.returncode is not None else -1
    result = Result(
        tuple(argv), status, out.decode(errors="replace"), err.decode(errors="replace"), monotonic() - start
    )
    if check and status:
        raise CommandError(on, argv, status, result.stdout, result.stderr)
    return result


def _as_file(data: bytes | None) -> int | None:
    """The input as a file in memory: a pipe of asyncio's takes time with the square of the length."""
    if data is None:
        return None
    file = os.memfd_create("input")
    with open(file, "wb", closefd=False) as stream:
        stream.write(data)
    os.lseek(file, 0, os.SEEK_SET)
    return file


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the whole group of a process that still runs, and reap it."""
    if process.returncode is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await process.wait()


class Trace:
    """A `Run` that writes every command, its host, time and status to a file: a script to read and replay.

    Values of `env` are secrets' way to a command, so only their names are written.
    """

    def __init__(self, path: Path, inner: Run = run) -> None:
        self._inner = inner
        self._file = path.open("w", buffering=1)
        self._file.write("#!/bin/sh\n# Every command of one run, in the order in which it ended.\n")

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        on: str = MACHINE,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        began, start = datetime.now().astimezone(), monotonic()
        status = "not ended"
        try:
            result = await self._inner(argv, on=on, timeout=timeout, check=False, stdin=stdin, env=env)
            status = f"status {result.status}"
        except CommandError as error:
            status = f"status {error.status}"
            raise
        finally:
            self._write(argv, on, began, monotonic() - start, status, stdin, env)
        if check and result.status:
            raise CommandError(on, argv, result.status, result.stdout, result.stderr)
        return result

    def _write(
        self,
        argv: Sequence[str],
        on: str,
        began: datetime,
        seconds: float,
        status: str,
        stdin: bytes | None,
        env: Mapping[str, str] | None,
    ) -> None:
        names = f", with {' '.join(env)} in its environment" if env else ""
        self._file.write(
            f"# {began.isoformat(timespec='milliseconds')} on {on}: {status}, {seconds:.3f} s{names}\n"
        )
        self._file.write(shlex.join(argv) + _here(stdin) + "\n")

    def close(self) -> None:
        self._file.close()


def _here(stdin: bytes | None) -> str:
    """A command's input as a here-document; what is no short text is only counted."""
    if stdin is None:
        return ""
    try:
        text = stdin.decode("ascii")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(text) > 20_000:
        return f"  # its input: {len(stdin)} bytes, not kept here"
    return f" <<'LAB_INPUT'\n{text.rstrip(chr(10))}\nLAB_INPUT"
