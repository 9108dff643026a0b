"""The one function that runs a process of this machine; everybody who runs one is given it.

A test gives another function in its place, and `Trace` one that also writes down what ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from time import monotonic
from typing import Protocol, Unpack
from weakref import WeakKeyDictionary

from lab.errors import CommandError, FileError, HostTimeout
from lab.hosts.host import CommandOptions, Result, Secret
from lab.util import invoker
from lab.util.patience import patient

#: The name under which this machine itself stands in errors and traces.
MACHINE = "this machine"


class FullEnvironment(dict[str, str]):
    """All of a command's environment; any other mapping is added to this process's own.

    `given` is the part that was asked for with the command.
    """

    def __init__(self, always: Mapping[str, str], given: Mapping[str, str]) -> None:
        super().__init__({**always, **given})
        self.given = given


class Traced(list[str]):
    """A command that a trace shows as another one, which does the same when you run it again."""

    def __init__(self, argv: Sequence[str], again: Sequence[str]) -> None:
        super().__init__(argv)
        self.again = tuple(again)


class RunCommand(Protocol):
    """Runs a command of this machine; `on` is the host that it is meant for."""

    async def __call__(
        self, argv: Sequence[str], *, on: str = MACHINE, **options: Unpack[CommandOptions]
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
    loop = asyncio.get_running_loop()
    async with _TURNS.setdefault(loop, asyncio.Semaphore(_MOST)):
        result = await _run(argv, on, patient(timeout), stdin, env)
    return result.checked(on) if check else result


async def _run(
    argv: Sequence[str], on: str, timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
) -> Result:
    start, loop = monotonic(), asyncio.get_running_loop()
    try:
        process = _spawn(argv, stdin, env)
    except FileNotFoundError as error:
        raise CommandError(on, argv, 127, "", f"{argv[0]} is not installed") from error
    try:
        ended = loop.run_in_executor(_THREADS, process.communicate)
        out, err = await asyncio.wait_for(asyncio.shield(ended), timeout)
    except TimeoutError as error:
        raise HostTimeout(f"{on}: {shlex.join(argv)[:300]} had not ended after {timeout:g} s") from error
    finally:
        if process.returncode is None:  # its thread reaps it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Result.of(argv, process.returncode, out, err, start)


#: So many commands run at a time, the others wait for their turn: each has up to four open files, and a
#: process may usually have 1,024.
_MOST = 200
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
#: Each running command has a thread that waits for it. asyncio's own processes can hang for good
#: when they are cancelled while they start, and a cancelled command must always come back.
_THREADS = ThreadPoolExecutor(_MOST, "command")


def _spawn(argv: Sequence[str], stdin: bytes | None, env: Mapping[str, str] | None) -> Popen[bytes]:
    """Start a process in a session of its own; its input is a file in memory, which cannot block."""
    source = os.memfd_create("input") if stdin is not None else DEVNULL
    try:
        if stdin is not None:
            with open(source, "wb", closefd=False) as stream:
                stream.write(stdin)
            os.lseek(source, 0, os.SEEK_SET)
        return Popen(
            argv,
            stdin=source,
            stdout=PIPE,
            stderr=PIPE,
            env=env if env is None or isinstance(env, FullEnvironment) else {**os.environ, **env},
            start_new_session=True,
        )
    finally:
        if stdin is not None:
            os.close(source)


def with_deadline(argv: Sequence[str], timeout: float) -> list[str]:
    """Put `argv` under coreutils' timeout: the far end kills it even when this end is gone."""
    return ["timeout", "-k", "2", f"{patient(timeout):g}", *argv]


def without_deadline(argv: Sequence[str]) -> Sequence[str]:
    """Return `argv` without its deadline and the words that lead to a host."""
    at = next((n for n, word in enumerate(argv) if [word, *argv[n + 1 : n + 2]] == ["timeout", "-k"]), None)
    return argv if at is None else argv[at + 4 :]


class Trace:
    """A `RunCommand` that writes every command, its host, time and status to a file: a script to replay.

    Values of `env` are secrets' way to a command, so only their names are written. In place of the
    secrets of an input (`Secret`) stand variables: the script asks for each before the command.
    """

    def __init__(self, path: Path, inner: RunCommand = run) -> None:
        self._inner = inner
        try:
            self._file = path.open("w", buffering=1)
            invoker.give_file(self._file.fileno(), path.parent)
        except OSError as error:
            raise FileError(f"the trace cannot be written to {path}: {error.strerror}") from error
        self._file.write("#!/bin/sh\n# Every command of one run, in the order in which it ended.\n")

    async def __call__(
        self, argv: Sequence[str], *, on: str = MACHINE, **options: Unpack[CommandOptions]
    ) -> Result:
        check, stdin, env = options.get("check", True), options.get("stdin"), options.get("env")
        options["check"] = False
        began, start = datetime.now().astimezone(), monotonic()
        status = "not ended"
        try:
            result = await self._inner(argv, on=on, **options)
            status = f"status {result.status}"
        except CommandError as error:
            status = f"status {error.status}"
            raise
        finally:
            at = began.isoformat(timespec="milliseconds")
            given = env.given if isinstance(env, FullEnvironment) else env
            names = f", with {' '.join(given)} in its environment" if given else ""
            self._file.write(f"# {at} on {on}: {status}, {monotonic() - start:.3f} s{names}\n")
            shown = argv.again if isinstance(argv, Traced) else argv
            command = shlex.join(shown) + _here_document(stdin)
            self._file.write(_required_variables(stdin) + command + "\n")
        return result.checked(on) if check else result

    def close(self) -> None:
        self._file.close()


def _here_document(stdin: bytes | None) -> str:
    """Return a command's input as a here-document; for anything else than a short text, only its size."""
    if stdin is None:
        return ""
    try:
        text = stdin.decode("ascii")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(text) > 20_000:
        return f"  # its input: {len(stdin)} bytes, not kept here"
    text = text.rstrip("\n")
    if isinstance(stdin, Secret):
        return f" <<LAB_INPUT\n{_with_variables(text, stdin.secrets)}\nLAB_INPUT"
    return f" <<'LAB_INPUT'\n{text}\nLAB_INPUT"


def _required_variables(stdin: bytes | None) -> str:
    """Return lines that end a script, and say why, where a secret of the next input is not given to it."""
    secrets = stdin.secrets if isinstance(stdin, Secret) else ()
    say = "was in the next input and is not kept here; set this variable to it"
    return "".join(f': "${{{_variable(what)}:?the {what} {say}}}"\n' for what in secrets)


def _with_variables(text: str, secrets: Mapping[str, str]) -> str:
    """Return a here-document that the shell expands to `text`, with a variable for each secret."""
    names = {value: f"${{{_variable(what)}:?}}" for what, value in secrets.items()}
    values = "|".join(re.escape(value) for value in sorted(names, key=len, reverse=True))
    return re.sub(rf"({values})|[\\$`]", lambda found: names.get(found[0], "\\" + found[0]), text)


def _variable(what: str) -> str:
    """Return a variable's name for a secret: ``swarm join token`` → ``LAB_SECRET_SWARM_JOIN_TOKEN``."""
    return "LAB_SECRET_" + re.sub(r"[^A-Za-z0-9]+", "_", what).upper()
