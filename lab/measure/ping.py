"""ping: round trips by ICMP echoes. Builders of its argv, and the one parser of its output.

A lost answer costs no other, so it also measures while something else goes over the same links.
"""

from __future__ import annotations

import re
from statistics import median
from typing import NamedTuple

from lab.errors import MeasureError
from lab.hosts.host import CommandRunner
from lab.topology import LinkSpec

NAME = "ping"
#: Time between two requests (s), and so the grain of what is timed by them.
INTERVAL = 0.1
#: Requests with which a link's round trip is measured, and the time between two of them (s).
ECHOES, ECHO_INTERVAL = 20, 0.05
_REPLY = re.compile(r"^(?:\[(\d+\.\d+)\] )?.*time=([0-9.]+) ms", re.MULTILINE)
_LOSS = re.compile(r"([\d.]+)% packet loss")
_RTT = re.compile(r"rtt min/avg/max/mdev = [\d.]+/([\d.]+)/([\d.]+)/[\d.]+ ms")


class PingReply(NamedTuple):
    """An answer: when it came (s since the epoch, 0 where ping was not asked for that), round trip (ms)."""

    at: float
    rtt: float

    @property
    def sent(self) -> float:
        return self.at - self.rtt / 1000


def argv(address: str, seconds: float) -> list[str]:
    """Echo requests for `seconds` (s), and a summary of their answers."""
    return [NAME, "-n", "-q", "-i", f"{INTERVAL:g}", "-W", "1", "-c", str(round(seconds / INTERVAL)), address]


def timestamps_argv(address: str, seconds: float, interval: float = INTERVAL) -> list[str]:
    """Echo requests every `interval` (s) for `seconds` (s), each answer with its time.

    They are counted: with a deadline (``-w``) ping ends at the first "Destination Host
    Unreachable", which is what a dark circuit soon makes of the neighbour's address.
    """
    count = round(seconds / interval)
    return [NAME, "-n", "-D", "-i", f"{interval:g}", "-W", "2", "-c", str(count), address]


def replies(output: str) -> list[PingReply]:
    """Return the answers in a ping's output, in their order."""
    return [PingReply(float(at or 0), float(rtt)) for at, rtt in _REPLY.findall(output)]


def parse(raw: str) -> dict[str, float]:
    """Return mean and greatest round trip (ms), and the share of requests without an answer (%).

    Raises:
        MeasureError: nobody answered, or the text is no summary.
    """
    lost, times = _LOSS.search(raw), _RTT.search(raw)
    if not lost:
        last = (raw.strip() or "nothing").splitlines()[-1][:200]
        raise MeasureError(NAME, f"printed no summary; the end of its output: {last}", raw)
    if not times:
        raise MeasureError(NAME, "got not one answer", raw)
    return {"mean_ms": float(times[1]), "max_ms": float(times[2]), "lost_percent": float(lost[1])}


async def round_trip(link: LinkSpec, host: CommandRunner) -> dict[str, float]:
    """Measure a link's round trip from its end `a`: asked, median, least and greatest (ms).

    The first echo is left out: it waits for the neighbour's hardware address as well.
    """
    command = [NAME, "-n", "-c", str(ECHOES), "-i", f"{ECHO_INTERVAL:g}", "-W", "2", link.address_b]
    result = await host.run(command, check=False, timeout=60)
    times = [reply.rtt for reply in replies(result.stdout)][1:]
    if not times:
        return {"asked_ms": link.rtt}
    return {
        "asked_ms": link.rtt,
        "median_ms": round(median(times), 3),
        "min_ms": min(times),
        "max_ms": max(times),
        "echoes": float(len(times)),
    }
