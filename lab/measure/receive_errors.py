"""Datagrams that reached a machine whose program was too slow to take them: receive-buffer errors."""

from __future__ import annotations

from lab.hosts.host import Endpoint

#: The kernel's counters of the network namespace that reads them.
COUNTERS, NAME = "/proc/net/snmp", "RcvbufErrors"


def parse(text: str) -> int | None:
    """Return the number of datagrams that found a socket's buffer full; None where it is not told."""
    rows = [line.split() for line in text.splitlines() if line.startswith("Udp:")]
    names, values = rows[:2] if len(rows) > 1 else ([], [])
    found = dict(zip(names, values, strict=False)).get(NAME, "")
    return int(found) if found.isascii() and found.isdigit() else None


async def read(endpoint: Endpoint) -> int | None:
    """Return the number since the endpoint's network namespace was made; None where it is not told."""
    return parse((await endpoint.run(["cat", COUNTERS], check=False)).stdout)
