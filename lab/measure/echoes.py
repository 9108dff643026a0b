"""The round trip of a link, by echoes of its two ends."""

from __future__ import annotations

import re
from statistics import median

from lab.hosts.host import CommandRunner
from lab.topology import LinkSpec

ECHOES = 20
#: Seconds between two echoes.
INTERVAL = 0.05


def echo_argv(address: str) -> list[str]:
    """The ping whose output `parse_times` reads."""
    return ["ping", "-n", "-c", str(ECHOES), "-i", f"{INTERVAL:g}", "-W", "2", address]


def parse_times(output: str) -> list[float]:
    """Round trips in ms of a ping's output."""
    return [float(found) for found in re.findall(r"time=([0-9.]+) ms", output)]


async def round_trip(link: LinkSpec, host: CommandRunner) -> dict[str, float]:
    """A link's round trip from its end `a`: asked, median, least and greatest (ms).

    The first echo is left out: it waits for the neighbour's hardware address as well.
    """
    result = await host.run(echo_argv(link.address_b), check=False, timeout=60)
    times = parse_times(result.stdout)[1:]
    if not times:
        return {"asked_ms": link.rtt}
    return {
        "asked_ms": link.rtt,
        "median_ms": round(median(times), 3),
        "min_ms": min(times),
        "max_ms": max(times),
        "echoes": float(len(times)),
    }
