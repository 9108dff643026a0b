"""Ports of containers on this machine: a listener here, a connection inside the container's network.

Containers have no network but the lab's links, so Docker has nothing to publish. Connections
are passed on by this process, as long as the network runs; only TCP.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from lab.emulation.links import netns
from lab.errors import LabError, TopologyError

CHUNK = 1 << 16
#: (port inside, address here, port here); port 0 is any free one.
Binding = tuple[int, str, int]


def bindings(
    name: str,
    ports: Iterable[Any],
    port_bindings: Mapping[Any, Any],
    exposed: Iterable[str],
    everything: bool,
) -> list[Binding]:
    """Read the ports to publish from the forms that docker-py takes.

    Raises:
        TopologyError: a port that is no TCP port.
    """
    found: list[Binding] = []
    for inside, outside in port_bindings.items():
        wanted = outside if isinstance(outside, list) else [outside]
        found += [(_port(name, inside), *_here(name, one)) for one in wanted]
    bound = {inside for inside, _, _ in found}
    others = [_port(name, port) for port in (*ports, *(exposed if everything else ()))]
    return found + [(p, "127.0.0.1", 0) for p in dict.fromkeys(others) if everything and p not in bound]


def _port(name: str, value: Any) -> int:
    text = "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
    number, _, protocol = text.partition("/")
    if protocol not in ("", "tcp") or not number.isdigit() or not 0 < int(number) < 65536:
        raise TopologyError(f"host {name!r}: {value!r} is no TCP port, and only those are published")
    return int(number)


def _here(name: str, value: Any) -> tuple[str, int]:
    if value is None:
        return "127.0.0.1", 0
    if isinstance(value, tuple):
        return str(value[0]), _port(name, value[1]) if len(value) > 1 else 0
    return "127.0.0.1", _port(name, value)


class Publisher:
    """The published ports of one container."""

    def __init__(self, name: str, namespace: str) -> None:
        self._name, self._namespace = name, namespace
        self._servers: list[asyncio.Server] = []

    async def publish(self, wanted: Iterable[Binding]) -> dict[int, tuple[str, int]]:
        """Listen; returns where each port inside is found.

        Raises:
            LabError: an address is taken, or not this machine's.
        """
        found = {}
        for inside, address, port in wanted:
            try:
                server = await asyncio.start_server(self._serve(inside), address, port)
            except OSError as error:
                raise LabError(
                    f"{self._name}: its port {inside} cannot be published on {address}:{port}: "
                    f"{os.strerror(error.errno or 0)}; choose another in port_bindings"
                ) from error
            self._servers.append(server)
            found[inside] = (address, server.sockets[0].getsockname()[1])
        return found

    def _serve(self, inside: int) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                with netns.entered(self._namespace):
                    far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                far.setblocking(False)
                await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", inside))
                far_reader, far_writer = await asyncio.open_connection(sock=far)
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
                far_writer.close()
            writer.close()

        return serve

    async def close(self) -> None:
        """Listen no longer."""
        for server in self._servers:
            server.close()
        self._servers.clear()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
