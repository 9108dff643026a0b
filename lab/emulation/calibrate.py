"""Whether every link has the delay that was asked: measured before it is trusted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from statistics import median

from lab.errors import ShaperError
from lab.hosts.base import Host
from lab.topology import LinkSpec

ECHOES = 20
#: Seconds between two echoes.
INTERVAL = 0.05
#: How far a link's median RTT may be off (ms, and as a share of what was asked): what the
#: shapers keep on a machine that also does other things.
TOLERANCE_MS, TOLERANCE_SHARE = 0.5, 0.02
TRIES = 3


def echo_argv(address: str) -> list[str]:
    """The ping whose output `parse_times` reads."""
    return ["ping", "-n", "-c", str(ECHOES), "-i", f"{INTERVAL:g}", "-W", "2", address]


def parse_times(output: str) -> list[float]:
    """Round trips in ms of a ping's output."""
    return [float(found) for found in re.findall(r"time=([0-9.]+) ms", output)]


def tolerance(asked: float) -> float:
    """How far (ms) the median RTT of a link of `asked` ms may be off."""
    return max(TOLERANCE_MS, TOLERANCE_SHARE * asked)


async def calibrate(links: Sequence[LinkSpec], hosts: Mapping[str, Host]) -> dict[str, dict[str, float]]:
    """Measure every link's RTT at the same time; by link: asked, median, least and greatest (ms).

    The first echo is left out: it waits for the neighbour's hardware address as well.

    Raises:
        ShaperError: a link is still off after `TRIES` measurements, or answers nothing.
    """
    found: dict[str, dict[str, float]] = {}
    left = list(links)
    for _ in range(TRIES):
        rows = await asyncio.gather(*(_measure(link, hosts[link.a]) for link in left))
        found.update({link.name: row for link, row in zip(left, rows, strict=True)})
        left = [link for link in left if _off(link, found[link.name])]
        if not left:
            return found
    words = "; ".join(
        f"{link.name} was asked for {link.rtt:g} ms and has {found[link.name].get('median_ms', 'no answer')}"
        for link in left
    )
    raise ShaperError(f"links are not what was asked: {words}; free the machine's CPUs, or try --shaper")


async def _measure(link: LinkSpec, host: Host) -> dict[str, float]:
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


def _off(link: LinkSpec, row: Mapping[str, float]) -> bool:
    return abs(row.get("median_ms", float("inf")) - link.rtt) > tolerance(link.rtt) + 2 * link.jitter
