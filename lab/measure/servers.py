"""The far ends of iperf3 and netperf: started once per endpoint, and again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from time import monotonic

from lab.errors import MeasureError
from lab.hosts.base import Endpoint
from lab.measure import iperf3, netperf
from lab.measure.together import together

#: How long a server has to open its port (s). One takes some 10 ms; six at once, on two cores
#: that also bring an overlay up, well under a second.
DEADLINE = 10.0
#: How often the open ports are asked for (s); one question costs a ``docker exec``.
POLL = 0.05
SERVERS: dict[int, Sequence[str]] = {iperf3.PORT: iperf3.SERVER, netperf.PORT: netperf.SERVER}
LISTENING = ("ss", "-Hltn")
#: Every program that a failed sample may leave behind in an endpoint, client or server.
END = ("pkill", "-KILL", "-x", "iperf3|netperf|netserver")


def open_ports(listening: str) -> set[int]:
    """The local TCP ports in the output of ``ss -Hltn``."""
    columns = (line.split() for line in listening.splitlines())
    return {int(c[3].rsplit(":", 1)[1]) for c in columns if len(c) > 3 and c[3].rsplit(":", 1)[1].isdigit()}


async def serve(endpoint: Endpoint, deadline: float = DEADLINE) -> None:
    """Start the servers that do not listen yet, and return once all do.

    Raises:
        MeasureError: a port was not open after `deadline` (s).
    """
    await together(endpoint.start(SERVERS[port]) for port in await _closed(endpoint))
    end = monotonic() + deadline
    while closed := await _closed(endpoint):
        if monotonic() > end:
            names = ", ".join(f"{SERVERS[port][0]} (port {port})" for port in closed)
            raise MeasureError(names, f"did not listen on {endpoint.name} after {deadline:g} s")
        await asyncio.sleep(POLL)


async def serve_all(endpoints: Iterable[Endpoint]) -> None:
    """`serve` on every endpoint, side by side."""
    await together(serve(endpoint) for endpoint in endpoints)


async def restart_all(endpoints: Iterable[Endpoint]) -> None:
    """End whatever a failed sample left on every endpoint and start the servers again."""
    endpoints = list(endpoints)
    await together(endpoint.run(END, check=False) for endpoint in endpoints)
    await serve_all(endpoints)


async def _closed(endpoint: Endpoint) -> list[int]:
    ports = open_ports((await endpoint.run(LISTENING)).stdout)
    return [port for port in SERVERS if port not in ports]
