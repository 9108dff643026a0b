"""The SSH connections to one machine: opened once, kept, and opened again after they drop."""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import asyncssh

from lab.errors import CommandError, HostLost, HostTimeout, HostUnreachable
from lab.hosts.command_log import ERR, OUT, Heard
from lab.hosts.host import Result
from lab.hosts.sshway import SshSettings, connected, failure

#: Is given what arrives of a command: `OUT` or `ERR`, and some bytes.
Take = Callable[[str, bytes], None]
#: How much is read at once (bytes).
PIECE = 65_536
#: OpenSSH serves ten commands at once over one connection unless it is told otherwise.
CHANNELS = 8


@dataclass
class _Connection:
    """One connection, and how many commands use it at this moment."""

    ssh: asyncssh.SSHClientConnection
    used: int = 0
    #: How many it takes at once: it is found out when one more is refused.
    most: int = CHANNELS
    jump: asyncssh.SSHClientConnection | None = None


@dataclass
class SshConnection:
    """Runs commands on one machine; it is a `lab.hosts.command.Run`. `heard` keeps what they print."""

    way: SshSettings
    heard: Heard | None = None
    _open: list[_Connection] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def connect(self) -> None:
        """Open the first connection.

        Raises:
            HostUnreachable: says what stands in the way.
        """
        async with self._lock:
            await self._free()

    async def close(self) -> None:
        """Close every connection; what was started with `Host.start` goes on."""
        connections, self._open = self._open, []
        for connection in connections:
            connection.ssh.close()
            if connection.jump:
                connection.jump.close()
        for connection in connections:
            with suppress(TimeoutError, OSError):
                await asyncio.wait_for(connection.ssh.wait_closed(), 2)

    @property
    def user(self) -> str:
        """Who is logged in."""
        return str(self._open[0].ssh.get_extra_info("username")) if self._open else ""

    @property
    def own_address(self) -> str:
        """The machine's address on the network that carries this connection; "" behind a jump host."""
        if not self._open or self.way.jump:
            return ""
        return str((self._open[0].ssh.get_extra_info("peername") or ("",))[0])

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        on: str = "",
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a command as whoever is logged in; `stdin` may be a file.

        The values of `env` go before `stdin`, where the command has to take them from.

        Raises:
            CommandError: `check` is set and the status is not zero.
            HostTimeout: no end after `timeout` (s).
            HostUnreachable: no connection can be made.
            HostLost: the connection dropped, and nobody knows how far the command came.
        """
        start, words, given = monotonic(), shlex.join(argv), stdin
        if env:
            assert not isinstance(stdin, Path), "a file goes as it is"
            stdin = header(env) + (stdin or b"")
        with self.heard.command(argv, env, given) if self.heard else nullcontext() as heard:
            try:
                async with asyncio.timeout(timeout):
                    status, out, err = await self._somewhere(words, stdin, heard.take if heard else _unheard)
            except TimeoutError as error:
                raise HostTimeout(
                    f"{self.way.name}: {words[:300]} had not ended after {timeout:g} s"
                ) from error
            if heard:
                heard.status = status
        result = Result(
            tuple(argv),
            status,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
            monotonic() - start,
        )
        if check and result.status:
            raise CommandError(self.way.name, argv, result.status, result.stdout, result.stderr)
        return result

    async def _somewhere(
        self, words: str, stdin: bytes | Path | None, take: Take
    ) -> tuple[int, bytes, bytes]:
        """Run a command over a connection that takes it: one that does not has not begun it."""
        while True:
            async with self._lock:
                connection = await self._free()
                connection.used += 1
            try:
                return await self._to_its_end(connection.ssh, words, stdin, take)
            except asyncssh.ChannelOpenError as error:
                connection.most = connection.used - 1
                if connection.most == 0 and not connection.ssh.is_closed():
                    raise HostUnreachable(self.way.name, self.way.where, failure(error)) from error
            finally:
                connection.used -= 1

    async def _to_its_end(
        self, ssh: asyncssh.SSHClientConnection, words: str, stdin: bytes | Path | None, take: Take
    ) -> tuple[int, bytes, bytes]:
        """The status and the output of a command."""
        more: dict[str, Any] = {} if isinstance(stdin, bytes) else {"stdin": stdin or asyncssh.DEVNULL}
        process = None
        try:
            process = await ssh.create_process(f"exec {words}", encoding=None, **more)
            out, err = await _communicate(process, stdin if isinstance(stdin, bytes) else None, take)
        except asyncssh.ChannelOpenError:
            raise
        except (asyncssh.Error, OSError) as error:
            raise self._lost(words) from error
        finally:
            _end(process)
        if process.returncode is None:
            raise self._lost(words)
        # a signal counts as a shell counts it
        return process.returncode if process.returncode >= 0 else 128 - process.returncode, out, err

    def _lost(self, words: str) -> HostLost:
        told = re.sub(r"^.* -k 2 \S+ ", "", words)[:120]
        return HostLost(
            f"{self.way.name}: the connection to {self.way.where} was lost while {told!r} ran; "
            "see whether the machine is up, then go on"
        )

    async def _free(self) -> _Connection:
        """A connection that has room for one more command; those that dropped are forgotten."""
        self._open = [c for c in self._open if not c.ssh.is_closed()]
        found = next((c for c in self._open if c.used < c.most), None)
        if found is None:
            found = await self._connect()
            self._open.append(found)
        return found

    async def _connect(self) -> _Connection:
        jump = await connected(self.way.jump) if self.way.jump else None
        try:
            return _Connection(await connected(self.way, jump), jump=jump)
        except BaseException:
            if jump:
                jump.close()
            raise


def _unheard(mark: str, data: bytes) -> None:
    """For output that nobody but the caller is given."""


async def _communicate(process: Any, stdin: bytes | None, take: Take) -> tuple[bytes, bytes]:
    """What a command prints; one that ends before it has taken its input is no fault of the connection."""
    if stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(stdin)
            process.stdin.write_eof()
    out, err, _ = await asyncio.gather(
        _all_of(process.stdout, OUT, take), _all_of(process.stderr, ERR, take), process.wait_closed()
    )
    return out, err


async def _all_of(stream: Any, mark: str, take: Take) -> bytes:
    """Everything that a command prints on one of its outputs; each piece is handed on as it arrives."""
    pieces = []
    while piece := await stream.read(PIECE):
        take(mark, piece)
        pieces.append(piece)
    return b"".join(pieces)


def header(env: Mapping[str, str]) -> bytes:
    """The lines from which the far end takes the values of an environment."""
    return b"".join(base64.b64encode(value.encode()) + b"\n" for value in env.values())


def _end(process: Any) -> None:
    """End a command that is waited for no longer; `timeout` there does so too, at the latest."""
    if process is not None and process.exit_status is None:
        with suppress(OSError, asyncssh.Error):
            process.send_signal("TERM")
    if process is not None:
        process.close()
