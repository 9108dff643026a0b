"""Listening for the page, on this machine's own address, until a signal comes."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

from lab.errors import MachineError

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
    except OSError as error:
        made.close()
        raise MachineError(
            f"port {port} of {ADDRESS} cannot be used ({error.strerror}); "
            "give another with --port, or leave it out for a free one"
        ) from error
    made.listen(16)
    return made


async def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer requests until a signal comes. Their addresses, which have the token, are not logged."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    await uvicorn.Server(config).serve(sockets=[listening])
