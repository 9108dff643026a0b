"""The SSH connections to one machine: opened once, kept, and opened again after they drop.

Everything that OpenSSH reads of the user's own settings counts here too: ~/.ssh/config, keys,
the agent, known_hosts. Host keys are always checked.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import asyncssh

from lab.errors import HostLost, HostTimeout, HostUnreachable
from lab.hosts.command_log import ERR, OUT, CommandLog
from lab.hosts.host import Result

#: Is given what arrives of a command: `OUT` or `ERR`, and some bytes.
OnOutput = Callable[[str, bytes], None]
#: How much is read at once (bytes).
PIECE = 65_536
#: OpenSSH serves ten commands at once over one connection unless it is told otherwise.
CHANNELS = 8
#: How long a machine may take to answer, and to let somebody in (s).
CONNECT, LOGIN = 10.0, 20.0
#: A connection is asked this often (s), and is lost when so many answers are missing.
KEEPALIVE, MISSING = 5.0, 3


@dataclass(frozen=True)
class SshSettings:
    """The access to a machine; None means the user's own SSH settings.

    `keys` are files of private keys; `jump` is a machine to go by; with `accept_new` the key of
    a machine that was never seen is written into `known_hosts`, and one that changed is refused.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    keys: tuple[str, ...] = ()
    jump: SshSettings | None = None
    known_hosts: Path | None = None
    config: Path | None = None
    accept_new: bool = False

    @property
    def where(self) -> str:
        return f"{self.address} port {self.port or 22}"

    def unreachable(self, reason: str) -> HostUnreachable:
        """Build the error for a machine that cannot be reached."""
        return HostUnreachable(self.name, self.where, reason)


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
    """Runs commands on one machine; it is a `lab.hosts.command.RunCommand`. `log` keeps what they print."""

    settings: SshSettings
    log: CommandLog | None = None
    _open: list[_Connection] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def connect(self) -> None:
        """Open the first connection.

        Raises:
            HostUnreachable: says what stands in the settings.
        """
        async with self._lock:
            await self._free()

    async def close(self) -> None:
        """Close every connection; programs started with `Host.start` continue."""
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
        """The name of who is logged in."""
        return str(self._open[0].ssh.get_extra_info("username")) if self._open else ""

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
        """Run a command as the login user; `stdin` may be a file.

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
            stdin = environment_lines(env) + (stdin or b"")
        with self.log.command(argv, env, given) if self.log else nullcontext() as logged:
            try:
                async with asyncio.timeout(timeout):
                    on_output = logged.add if logged else lambda mark, data: None
                    status, out, err = await self._run_where_free(words, stdin, on_output)
            except TimeoutError as error:
                raise HostTimeout(
                    f"{self.settings.name}: {words[:300]} had not ended after {timeout:g} s"
                ) from error
            if logged:
                logged.status = status
        result = Result.of(argv, status, out, err, start)
        return result.checked(self.settings.name) if check else result

    async def _run_where_free(
        self, words: str, stdin: bytes | Path | None, on_output: OnOutput
    ) -> tuple[int, bytes, bytes]:
        """Run a command over a connection that takes it: one that does not has not begun it."""
        while True:
            async with self._lock:
                connection = await self._free()
                connection.used += 1
            try:
                return await self._run_over(connection.ssh, words, stdin, on_output)
            except asyncssh.ChannelOpenError as error:
                connection.most = connection.used - 1
                if connection.most == 0 and not connection.ssh.is_closed():
                    raise self.settings.unreachable(_describe_failure(error)) from error
            finally:
                connection.used -= 1

    async def _run_over(
        self, ssh: asyncssh.SSHClientConnection, words: str, stdin: bytes | Path | None, on_output: OnOutput
    ) -> tuple[int, bytes, bytes]:
        """Return the status and the output of a command."""
        more: dict[str, Any] = {} if isinstance(stdin, bytes) else {"stdin": stdin or asyncssh.DEVNULL}
        process = None
        try:
            process = await ssh.create_process(f"exec {words}", encoding=None, **more)
            out, err = await _communicate(process, stdin if isinstance(stdin, bytes) else None, on_output)
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
        command = re.sub(r"^.* -k 2 \S+ ", "", words)[:120]
        return HostLost(
            f"{self.settings.name}: the connection to {self.settings.where} was lost while {command!r} ran; "
            "see whether the machine is up, then go on"
        )

    async def _free(self) -> _Connection:
        """Return a connection that has room for one more command; those that dropped are forgotten."""
        self._open = [c for c in self._open if not c.ssh.is_closed()]
        if free := next((c for c in self._open if c.used < c.most), None):
            return free
        jump = await open_connection(self.settings.jump) if self.settings.jump else None
        try:
            opened = _Connection(await open_connection(self.settings, jump), jump=jump)
        except BaseException:
            if jump:
                jump.close()
            raise
        self._open.append(opened)
        return opened


async def _communicate(process: Any, stdin: bytes | None, on_output: OnOutput) -> tuple[bytes, bytes]:
    """Return what a command prints.

    One that ends before it has taken its input is no fault of the connection.
    """
    if stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(stdin)
            process.stdin.write_eof()
    out, err, _ = await asyncio.gather(
        _read_all(process.stdout, OUT, on_output),
        _read_all(process.stderr, ERR, on_output),
        process.wait_closed(),
    )
    return out, err


async def _read_all(stream: Any, mark: str, on_output: OnOutput) -> bytes:
    """Return all that a command prints on one of its outputs; each piece is handed on as it arrives."""
    pieces = []
    while piece := await stream.read(PIECE):
        on_output(mark, piece)
        pieces.append(piece)
    return b"".join(pieces)


def environment_lines(env: Mapping[str, str]) -> bytes:
    """Return the lines from which the far end takes the values of an environment."""
    return b"".join(base64.b64encode(value.encode()) + b"\n" for value in env.values())


def _end(process: Any) -> None:
    """End a command that is waited for no longer; `timeout` there does so too, at the latest."""
    if process is None:
        return
    if process.exit_status is None:
        with suppress(OSError, asyncssh.Error):
            process.send_signal("TERM")
    process.close()


class _HostKeyCheck(asyncssh.SSHClient):
    """Decides about host keys that known_hosts does not have."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings, self.fault = settings, ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        file = self._settings.known_hosts or Path.home() / ".ssh" / "known_hosts"
        known = asyncssh.match_known_hosts(str(file), host, addr, port)[0] if file.exists() else ()
        if known:
            self.fault = (
                f"its host key is not the one that {file} has: the machine was installed again, or "
                "another machine intercepts the connection; in the first case, "
                f"ssh-keygen -f {file} -R {_known_as(host, port)}"
            )
            return False
        if not self._settings.accept_new:
            self.fault = (
                f"its host key {key.get_fingerprint()} is in no known_hosts; compare it and give --accept-new"
            )
            return False
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _append_line(file, f"{_known_as(host, port)} {key.export_public_key().decode().strip()}")
        return True


def _append_line(file: Path, line: str) -> None:
    """Add a line to a file; a last line without an end keeps to itself."""
    with file.open("a+b") as lines:
        lines.seek(max(0, lines.seek(0, os.SEEK_END) - 1))
        ended = lines.read() in (b"", b"\n")
        lines.write((b"" if ended else b"\n") + line.encode() + b"\n")


def _known_as(host: str, port: int) -> str:
    """Return the name of a machine in known_hosts (sshd(8))."""
    return host if port == 22 else f"[{host}]:{port}"


async def open_connection(
    settings: SshSettings, tunnel: asyncssh.SSHClientConnection | None = None
) -> asyncssh.SSHClientConnection:
    """Open a connection to a machine.

    Raises:
        HostUnreachable: says what stands in the way, and what to do.
    """
    client = _HostKeyCheck(settings)
    _refuse_unreadable_keys(settings)
    try:
        return await asyncssh.connect(
            settings.address,
            client_factory=lambda: client,
            **_options(settings),
            **({"tunnel": tunnel} if tunnel else {}),
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise settings.unreachable(client.fault or str(error)) from error
    except asyncssh.PermissionDenied as error:
        raise settings.unreachable(_login_refused(settings)) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise settings.unreachable(
            f"a key cannot be used: {error}; give it to ssh-agent, or name another"
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise settings.unreachable(_describe_failure(error)) from error


def _refuse_unreadable_keys(settings: SshSettings) -> None:
    for key in settings.keys:
        try:
            Path(key).expanduser().open("rb").close()
        except OSError as error:
            raise settings.unreachable(
                f"the key {key} cannot be read: {error.strerror}; correct the inventory"
            ) from error


def _login_refused(settings: SshSettings) -> str:
    who = f"user {settings.user!r}" if settings.user else "this user"
    with_keys = f"not let in with the key {', '.join(settings.keys)}"
    what = with_keys if settings.keys else "let in with none of the agent's and the user's keys"
    return f"{who} is {what}; correct user and key in the inventory, or put the key there"


def _describe_failure(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT:g} s; check address, network and that the machine is up"
    reason = getattr(error, "strerror", None) or str(error)
    # asyncio's own words; the kernel's are in the number
    if found := re.search(r"Errno (\d+)\] Connect call failed", str(error)):
        reason = os.strerror(int(found[1]))
    return f"{reason}; check address and port in the inventory, and that sshd runs there"


def _options(settings: SshSettings) -> dict[str, Any]:
    """Return the options of asyncssh; one that is left out comes from the user's own settings."""
    if settings.known_hosts is not None:
        settings.known_hosts.touch(mode=0o600, exist_ok=True)
    chosen = {
        "port": settings.port,
        "username": settings.user,
        "client_keys": [str(Path(key).expanduser()) for key in settings.keys] or None,
        "known_hosts": settings.known_hosts and str(settings.known_hosts),
        "config": settings.config,
    }
    return {
        "connect_timeout": CONNECT,
        "login_timeout": LOGIN,
        "keepalive_interval": KEEPALIVE,
        "keepalive_count_max": MISSING,
        "compression_algs": ["none"],
        "preferred_auth": "publickey",
        **{name: value for name, value in chosen.items() if value is not None},
    }
