"""One step of the set-up: a command, its name, its progress and its time.

    python scripts/step.py NAME -- COMMAND...     shows the command's own output

On a terminal a quiet step shows one live line; in a pipe a plain line now and then. Its
whole output goes to a log, whose end is shown when the command fails.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import NoReturn

#: How often a quiet step says that it is still at work: on a terminal, and in a pipe (s).
LIVE, PLAIN = 0.5, 15.0
SHOWN_OF_A_FAILURE = 20  # lines
#: How long an interrupted command may take to clean up (s).
PATIENCE = 30.0


def loud(name: str, argv: list[str]) -> None:
    """Run a command that shows its own progress; end this process with its status if it fails."""
    say(f"==> {name}")
    start = monotonic()
    status = _wait(subprocess.Popen(argv), lambda: None, LIVE)
    if status:
        fail(f"{name}: failed after {seconds(start)}", status)
    say(f"    {name}: done in {seconds(start)}")


def hold_lock(path: Path) -> int:
    """Take this lock, once whoever has it is done; its descriptor, which `quiet` passes on.

    A command that outlives a killed step so keeps the next one waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another set-up is at work in this folder, or what is left of it; waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def quiet(
    name: str, argv: list[str], log: Path, env: dict[str, str] | None = None, keep: Sequence[int] = ()
) -> None:
    """Run a command whose output goes to a log; show that it works, and the log's end if it fails.

    The command inherits the descriptors `keep`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"==> {name}")
    start = monotonic()
    live = sys.stdout.isatty()
    with log.open("a") as output:
        output.write(f"\n$ {' '.join(argv)}\n")
        output.flush()
        begin = log.stat().st_size
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, pass_fds=keep
        )
        status = _wait(process, lambda: _beat(start, _last(log, begin), live), LIVE if live else PLAIN)
    if live:
        print("\r\033[K", end="")
    if status:
        _show_failure(name, log, begin, status)
    say(f"    {name}: done in {seconds(start)}")


class Beside:
    """A quiet command that runs beside the next steps; `wait` shows how it ended."""

    def __init__(
        self, name: str, argv: list[str], log: Path, env: dict[str, str], keep: Sequence[int] = ()
    ) -> None:
        say(f"==> {name}, beside the next steps")
        self._name, self._log, self._start = name, log, monotonic()
        with log.open("w") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                pass_fds=keep,
            )

    def wait(self) -> None:
        """Return once it has ended; end this process with its status if it failed."""
        live = sys.stdout.isatty()
        words = f"{self._name}: "
        status = _wait(self._process, lambda: _beat(self._start, words + _last(self._log, 0), live), PLAIN)
        if status:
            _show_failure(self._name, self._log, 0, status)
        say(f"    {self._name}: done in {seconds(self._start)}")


def _show_failure(name: str, log: Path, begin: int, status: int) -> NoReturn:
    """Show the end of what a command printed, and end this process with its status."""
    lines = log.read_text(errors="replace")[begin:].splitlines()[-SHOWN_OF_A_FAILURE:]
    fail("\n".join([*(f"    {line}" for line in lines), f"{name}: failed; the whole log is {log}"]), status)


def _wait(process: subprocess.Popen[bytes], beat, every: float) -> int:  # type: ignore[no-untyped-def]
    try:
        while True:
            try:
                return process.wait(every)
            except subprocess.TimeoutExpired:
                beat()
    except KeyboardInterrupt:
        _let_end(process)
        fail("\ninterrupted: the same command goes on from here", 130)


def _let_end(process: subprocess.Popen[bytes]) -> None:
    """The command heard Ctrl-C as well: give it time to clean up after itself."""
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()
        process.wait()


def _beat(start: float, last: str, live: bool) -> None:
    words = f"    {seconds(start)}  {last[:90]}"
    print(f"\r\033[K{words}" if live else words, end="" if live else "\n", flush=True)


def _last(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def seconds(start: float) -> str:
    """Time since `start`, as ``4.2 s`` or ``1 min 05 s``."""
    passed = monotonic() - start
    return f"{passed:.1f} s" if passed < 60 else f"{passed // 60:.0f} min {passed % 60:02.0f} s"


def say(text: str) -> None:
    print(text, flush=True)


def fail(text: str, status: int = 1) -> NoReturn:
    print(text, file=sys.stderr, flush=True)
    sys.exit(status)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        fail(__doc__ or "", 2)
    loud(sys.argv[1], sys.argv[3:])
