"""A log of the commands on a host: their output, in a file per host, as it arrives.

A connection that is cut, and a kill, leave in it what came so far.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from lab.errors import FileError
from lab.events import Emit, Note, silent
from lab.hosts.command import without_deadline
from lab.hosts.host import Private, Secret

#: What stands before a line: a command, what it printed where, and how it ended.
ASKED, OUT, ERR, ENDED = "$", "out", "err", "end"
#: What stands in place of a secret.
HIDDEN = "***"


class CommandLog:
    """The file of one host; a disk that refuses it stops no command, and `emit` is told once.

    Values of an environment and the secrets of an input (`Secret`) are `HIDDEN` wherever one is printed.
    A command's input is not written.

    Raises:
        FileError: the file cannot be made.
    """

    def __init__(self, path: Path, emit: Emit = silent) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror}; make room for it") from error
        self._path, self._emit, self._refused = path, emit, False
        self._secrets: list[str] = []
        self._count = 0

    @contextmanager
    def command(
        self, argv: Sequence[str], env: Mapping[str, str] | None, stdin: bytes | Path | None = None
    ) -> Iterator[LoggedCommand]:
        """Write down a command, and at its end what is left of its last line, and how it ended."""
        self._count += 1
        self._hide([*(env or {}).values(), *(stdin.secrets.values() if isinstance(stdin, Secret) else ())])
        command = LoggedCommand(self, self._count, private=isinstance(argv, Private))
        names = f"   # with {' '.join(env)} in its environment" if env else ""
        self.write(self._count, ASKED, shlex.join(without_deadline(argv)) + names)
        try:
            yield command
        finally:
            command.end()

    def _hide(self, secrets: Iterable[str]) -> None:
        """Lines of one character are not secrets: they are everywhere."""
        lines = {line for value in secrets for line in value.splitlines() if len(line) > 1}
        self._secrets = sorted({*self._secrets, *lines}, key=len, reverse=True)

    def write(self, number: int, mark: str, text: str) -> None:
        """Write lines of one command, with the time (UTC) and its number."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        lines = "".join(f"{now}Z {number} {mark} {line}\n" for line in text.split("\n"))
        try:
            self._file.write(lines.encode(errors="replace"))
        except (OSError, ValueError) as error:  # a full disk; closed, while a command was being ended
            if isinstance(error, OSError) and not self._refused:
                self._emit(
                    Note(f"{self._path} cannot be written: {error.strerror}; it has gaps from here on")
                )
            self._refused = True

    def close(self) -> None:
        self._file.close()


class LoggedCommand:
    """One running command: its output is written by whole lines, so that no secret is cut in two."""

    def __init__(self, log: CommandLog, number: int, *, private: bool) -> None:
        self._log, self._number, self._private = log, number, private
        self._began, self._kept_back = monotonic(), 0
        self._rests: dict[str, bytearray] = defaultdict(bytearray)
        self.status: int | None = None

    def add(self, mark: str, data: bytes) -> None:
        """Add what has arrived on `OUT` or `ERR`."""
        if self._private and mark == OUT:
            self._kept_back += len(data)
            return
        head, newline, tail = data.rpartition(b"\n")
        rest = self._rests[mark]
        if newline:
            self._write(mark, rest + head)
            rest.clear()
        rest += tail

    def _write(self, mark: str, data: bytes | bytearray) -> None:
        self._log.write(self._number, mark, data.decode(errors="replace"))

    def end(self) -> None:
        """Write what has no end of line yet, and how the command ended."""
        for mark, rest in self._rests.items():
            if rest:
                self._write(mark, rest)
        words = "not ended" if self.status is None else f"status {self.status}"
        kept = f", {self._kept_back} bytes that are not kept here" if self._kept_back else ""
        self._log.write(self._number, ENDED, f"{words}, {monotonic() - self._began:.3f} s{kept}")
