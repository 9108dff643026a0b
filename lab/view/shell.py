"""A shell in a host, over a websocket: bytes of the terminal in both directions, its size as JSON."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import termios
from contextlib import suppress

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.errors import LabError
from lab.live.enter import Entry, entry
from lab.view.questions import shown_lab

#: Bytes on their way to a slow page at most; the shell then waits.
PIECE = 1 << 16
#: Seconds that a shell has to end after its page has gone.
PATIENCE = 2.0
#: Columns and rows of a terminal at most.
WIDEST = 1000


def shell_route() -> WebSocketRoute:
    """Return the route of shells."""
    return WebSocketRoute("/shell", _shell)


async def _shell(socket: WebSocket) -> None:
    await socket.accept()
    try:
        record = shown_lab(socket, socket.query_params.get("lab", ""))
        where = entry(record, socket.query_params.get("host", ""))
    except LabError as error:
        await socket.close(1008, str(error)[:120])
        return
    terminal, side = pty.openpty()
    try:
        shell = await _started(where, side)
        os.close(side)
        await _converse(socket, terminal)
    finally:
        os.close(terminal)
    await _end(shell)
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await socket.close()


async def _started(where: Entry, side: int) -> asyncio.subprocess.Process:
    """Start a shell whose own terminal is this one, so that Ctrl-C reaches the programs in it."""
    env = dict(where.shell_environment({**os.environ, "TERM": "xterm-256color"}))
    argv = ["setsid", "--ctty", *where.shell(terminal=True)]
    return await asyncio.create_subprocess_exec(*argv, stdin=side, stdout=side, stderr=side, env=env)


async def _converse(socket: WebSocket, terminal: int) -> None:
    """Pass bytes on until the shell or the page ends."""
    reader = asyncio.StreamReader(PIECE)
    protocol = asyncio.StreamReaderProtocol(reader)
    pipe = os.fdopen(os.dup(terminal), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    tasks = {
        asyncio.create_task(_send(socket, reader)),
        asyncio.create_task(_receive(socket, terminal)),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        transport.close()


async def _send(socket: WebSocket, reader: asyncio.StreamReader) -> None:
    with suppress(OSError, WebSocketDisconnect, RuntimeError):  # the end of the shell, or of the page
        while data := await reader.read(PIECE):
            await socket.send_bytes(data)


async def _receive(socket: WebSocket, terminal: int) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if (data := message.get("bytes")) is not None:
            await _write(terminal, data)
        elif size := resized(message.get("text") or ""):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


async def _write(terminal: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(terminal, data) :]
        except BlockingIOError:
            await asyncio.sleep(0.01)


def resized(text: str) -> tuple[int, int] | None:
    """Return columns and rows from ``{"resize": [columns, rows]}``; None for any other text."""
    with suppress(ValueError, TypeError, KeyError):
        columns, rows = (int(number) for number in json.loads(text)["resize"])
        if 0 < columns <= WIDEST and 0 < rows <= WIDEST:
            return columns, rows
    return None


async def _end(shell: asyncio.subprocess.Process) -> None:
    """End a shell that a page has left: its terminal is gone, which most programs take as their end."""
    for how in (signal.SIGHUP, signal.SIGKILL):
        try:
            await asyncio.wait_for(shell.wait(), PATIENCE)
            return
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, how)
    await shell.wait()
