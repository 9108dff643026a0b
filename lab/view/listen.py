"""Listening for the page, on this machine's own address, until a signal comes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from lab.errors import MachineError
from lab.feed.hub import Hub
from lab.util.signals import SIGNALS

ADDRESS = "127.0.0.1"


def bound(port: int) -> socket.socket:
    """Return a socket that listens at a port of 127.0.0.1; 0 is any that is free.

    Raises:
        MachineError: the port is another program's.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((ADDRESS, port))
        made.listen(16)
    except OSError as error:
        made.close()
        raise MachineError(
            f"port {port} of {ADDRESS} cannot be used ({error.strerror}); "
            "give another with --port, or leave it out for a free one"
        ) from error
    return made


async def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer requests until a signal comes. Their addresses, which have the token, are not logged."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    await _Server(config, app.state.hub).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that at a signal ends its streams of events first, as these have no end."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let a signal end the server in order, while this lasts."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self._hub.end()
        self.should_exit = True
