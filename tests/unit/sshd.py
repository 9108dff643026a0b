"""An SSH server in this process, on loopback, whose commands run here: for tests of the line to a machine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from lab.hosts.ssh_connection import SshSettings

USER = "tester"


@dataclass
class Server:
    """The server: `asked` are the commands that it was given, `sessions` how many run now and at most."""

    port: int
    folder: Path
    acceptor: Any
    connections: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    processes: list[Any] = field(default_factory=list)
    #: Sessions that one connection may have at once, as OpenSSH's MaxSessions.
    most: int = 10
    #: Whether it lets connections through to other machines.
    forwards: bool = False

    def settings(self, **more: Any) -> SshSettings:
        known = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": USER,
            "keys": (str(self.folder / "key"),),
            "known_hosts": self.folder / "known_hosts",
        }
        return SshSettings("AMS", **{**known, **more})

    async def end(self) -> None:
        """End the commands that still run."""
        for process in self.processes:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def cut(self) -> None:
        """Drop every connection without a word."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()


class _Server(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server, self._sessions = server, 0

    def connection_made(self, conn: Any) -> None:
        self._server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return self._server.forwards

    def session_requested(self) -> Any:
        self._sessions += 1
        if self._sessions > self._server.most:
            self._sessions -= 1
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "no more sessions")
        return self._work

    async def _work(self, stdin: Any, stdout: Any, stderr: Any) -> None:
        channel = stdout.channel
        command = channel.get_command()
        self._server.asked.append(command)
        if "no-such-program" in command:  # ends before its input is sent, as a shell without a program does
            stderr.write(b"sh: 1: exec: no-such-program: not found\n")
            channel.exit(127)
            self._sessions -= 1
            return
        try:
            process = await asyncio.create_subprocess_shell(
                command,
                env={**os.environ, "SSH_CONNECTION": f"127.0.0.1 1 127.0.0.1 {self._server.port}"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            self._server.processes.append(process)
            assert process.stdin is not None, "it was asked for"
            process.stdin.write(await stdin.read())
            process.stdin.close()
            await asyncio.gather(_pass_on(process.stdout, stdout), _pass_on(process.stderr, stderr))
            await process.wait()
            if (status := process.returncode or 0) < 0:
                channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                channel.exit(status)
        finally:
            self._sessions -= 1


async def _pass_on(source: Any, sink: Any) -> None:
    """What a command prints, as it prints it."""
    while data := await source.read(65_536):
        sink.write(data)


@asynccontextmanager
async def serving(folder: Path, *, port: int = 0, known: bool = True) -> AsyncIterator[Server]:
    """A server with a fresh host key, which known_hosts has; `USER` comes in with the key in `folder`."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    if not (folder / "key").exists():
        user_key = asyncssh.generate_private_key("ssh-ed25519")
        user_key.write_private_key(str(folder / "key"))
        (folder / "authorized").write_bytes(user_key.export_public_key())
    server = Server(0, folder, None)

    async def public_key(username: str) -> Any:
        return username

    server.acceptor = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=lambda: _Server(server),
        server_host_keys=[host_key],
        authorized_client_keys=str(folder / "authorized"),
        encoding=None,
        password_auth=False,
    )
    server.port = server.acceptor.sockets[0].getsockname()[1]
    if known:
        line = f"[127.0.0.1]:{server.port} {host_key.export_public_key().decode()}"
        (folder / "known_hosts").write_text(line)
    try:
        yield server
    finally:
        server.cut()
        server.acceptor.close()
        await server.acceptor.wait_closed()
        await server.end()
