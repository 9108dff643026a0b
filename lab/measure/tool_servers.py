"""The far ends of iperf3 and netperf: started once per endpoint, and again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic

from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.measure import iperf3, netperf
from lab.util.concurrency import together

#: How long a server has to open its port (s). One takes some 10 ms; six at once, on two cores
#: that also bring an overlay up, well under a second.
DEADLINE = 10.0
#: How often the open ports are asked for (s); one question costs a ``docker exec``.
POLL = 0.05
SERVERS: Mapping[int, Sequence[str]] = {iperf3.PORT: iperf3.SERVER, netperf.PORT: netperf.SERVER}
LISTENING = ("ss", "-Hltn")
#: Every program that a failed sample may leave behind in an endpoint, client or server.
END = ("pkill", "-KILL", "-x", "iperf3|netperf|netserver|stress-ng")


def open_ports(listening: str) -> set[int]:
    """The local TCP ports in the output of ``ss -Hltn``."""
    columns = (line.split() for line in listening.splitlines())
    return {int(c[3].rsplit(":", 1)[1]) for c in columns if len(c) > 3 and c[3].rsplit(":", 1)[1].isdigit()}


def wanted(iperf3_ports: Sequence[int] = ()) -> Mapping[int, Sequence[str]]:
    """The servers by port: one of each tool, and one of iperf3 on each further port named."""
    more = {port: [*iperf3.SERVER, "-p", str(port)] for port in iperf3_ports if port != iperf3.PORT}
    return {**SERVERS, **more}


async def serve(endpoint: Endpoint, deadline: float = DEADLINE, ports: Sequence[int] = ()) -> None:
    """Start the servers that do not listen yet, and return once all do.

    Raises:
        MeasureError: a port was not open after `deadline` (s).
    """
    all_of_them = wanted(ports)
    await together(endpoint.start(all_of_them[port]) for port in await _closed(endpoint, all_of_them))
    end = monotonic() + deadline
    while closed := await _closed(endpoint, all_of_them):
        if monotonic() > end:
            names = ", ".join(f"{all_of_them[port][0]} (port {port})" for port in closed)
            raise MeasureError(names, f"did not listen on {endpoint.name} after {deadline:g} s")
        await asyncio.sleep(POLL)


async def serve_all(endpoints: Iterable[Endpoint], ports: Sequence[int] = ()) -> None:
    """`serve` on every endpoint, side by side; `ports` are those of further iperf3 servers."""
    await together(serve(endpoint, ports=ports) for endpoint in endpoints)


async def restart_all(endpoints: Iterable[Endpoint], ports: Sequence[int] = ()) -> None:
    """End whatever a failed sample left on every endpoint and start the servers again."""
    endpoints = list(endpoints)
    await together(endpoint.run(END, check=False) for endpoint in endpoints)
    await serve_all(endpoints, ports)


async def _closed(endpoint: Endpoint, servers: Mapping[int, Sequence[str]]) -> list[int]:
    listening = open_ports((await endpoint.run(LISTENING)).stdout)
    return [port for port in servers if port not in listening]
