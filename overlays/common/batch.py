"""Several commands in one call: entering a host costs more than most of the commands themselves.

Each command stays a list of words. They are quoted, and read by a shell from its standard
input, so nothing of them stands in any argv.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence

from lab.hosts.daemons import LOGS, PIDS, log_file, start_argv, stop_argv
from lab.hosts.host import CommandRunner, Result, Secret

#: Between two tries of a command that is waited for (s).
PAUSE = 0.05


class Batch:
    """Commands and files for one host, in order; the first that fails ends the batch."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._secrets: dict[str, str] = {}

    def run(self, argv: Sequence[str], *, quiet: bool = False) -> Batch:
        """Add a command; `quiet` drops what it prints to standard output."""
        self._lines.append(shlex.join(argv) + (" >/dev/null" if quiet else ""))
        return self

    def attempt(self, argv: Sequence[str]) -> Batch:
        """Add a command that may fail, because what it removes may be gone already."""
        self._lines.append(f"{shlex.join(argv)} >/dev/null 2>&1 || :")
        return self

    def show(self, argv: Sequence[str]) -> Batch:
        """Add a command that may fail, for what it prints."""
        self._lines.append(f"{shlex.join(argv)} 2>/dev/null || :")
        return self

    def feed(self, argv: Sequence[str], text: str) -> Batch:
        """Add a command with `text` as its standard input."""
        self._lines.append(f"printf %s {shlex.quote(text)} | {shlex.join(argv)}")
        return self

    def write(self, path: str, text: str, mode: int = 0o644, secret: str = "") -> Batch:
        """Write a text file, making its folder; a `secret` is a name for a text that no log shows."""
        folder = path.rsplit("/", 1)[0] or "/"
        self._lines.append(f"mkdir -p {shlex.quote(folder)}")
        if secret:  # with its mode from its first byte on
            self._secrets[secret] = text
            self._lines.append(f"rm -f {shlex.quote(path)}")
            self._lines.append(f"(umask 077; printf %s {shlex.quote(text)} > {shlex.quote(path)})")
        else:
            self._lines.append(f"printf %s {shlex.quote(text)} > {shlex.quote(path)}")
        self._lines.append(f"chmod {mode:o} {shlex.quote(path)}")
        return self

    def unless(self, check: Sequence[str], batch: Batch) -> Batch:
        """Add another batch, to be run where a command that checks fails."""
        self._lines.append(f"{shlex.join(check)} >/dev/null 2>&1 || {{")
        self._lines += [*batch._lines, "}"]
        self._secrets |= batch._secrets
        return self

    def then(self, other: Batch) -> Batch:
        """Add all of another batch."""
        self._lines += other._lines
        self._secrets |= other._secrets
        return self

    def start(self, name: str, argv: Sequence[str], cwd: str = "/") -> Batch:
        """Start a daemon, as `Host.start` does; one of that name that runs is left as it is."""
        return self.run(["mkdir", "-p", PIDS, LOGS, cwd]).run(start_argv(name, argv, cwd))

    def stop(self, name: str) -> Batch:
        """End a daemon, as `Host.stop` does, and delete its log."""
        return self.run(stop_argv(name)).run(["rm", "-f", log_file(name)])

    def wait(self, argv: Sequence[str], seconds: float, text: str = "") -> Batch:
        """Repeat a command until it succeeds and prints `text`; go on in any case after so many seconds.

        The host asks itself, which costs far less than being asked.
        """
        shown = f" | grep -qF {shlex.quote(text)}" if text else " >/dev/null"
        return self._until(f"{shlex.join(argv)} 2>/dev/null{shown}", seconds)

    def provoke(self, ask: Sequence[str], shows: Sequence[str], seconds: float) -> Batch:
        """Run a command, and wait until another one prints something else than before, at most so long."""
        shown = f"$({shlex.join(shows)} 2>/dev/null || :)"
        self._lines.append(f"was={shown}")
        self.run(ask)
        return self._until(f'[ "{shown}" != "$was" ]', seconds)

    def _until(self, condition: str, seconds: float) -> Batch:
        self._lines.append(f"end=$(($(date +%s) + {math.ceil(seconds)}))")
        self._lines.append(f"until {condition} || [ $(date +%s) -ge $end ]; do")
        self._lines.append(f"sleep {PAUSE:g}; done")
        return self

    @property
    def script(self) -> str:
        """The text that the shell reads."""
        return "".join(line + "\n" for line in self._lines)

    async def on(
        self,
        host: CommandRunner,
        *,
        timeout: float = 60.0,
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run the batch on a host; see `CommandRunner.run`. Nothing is run for an empty batch."""
        if not self._lines:
            return Result(("sh", "-e"), 0, "", "", 0.0)
        script = Secret(self.script.encode(), self._secrets) if self._secrets else self.script.encode()
        return await host.run(["sh", "-e"], stdin=script, timeout=timeout, check=check, env=env)
