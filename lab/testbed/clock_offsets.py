"""Offsets of the hosts' clocks: recorded, so that times of two hosts can be compared."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lab.hosts.host import CommandRunner
from lab.util.concurrency import together

TRIES = 3


async def offsets(hosts: Mapping[str, CommandRunner]) -> dict[str, dict[str, float]]:
    """Return by host how much its clock is ahead of this machine's (ms), and how far that may be off (ms)."""
    found = await together(_offset(host) for host in hosts.values())
    return dict(zip(hosts, found, strict=True))


async def _offset(host: CommandRunner) -> dict[str, float]:
    """Take the answer that came back soonest: it can be off by half of its way."""
    tries = []
    for _ in range(TRIES):
        before = time.time()
        date = await host.run(["date", "+%s.%N"])
        after = time.time()
        tries.append((after - before, float(date.stdout) - (before + after) / 2))
    took, ahead = min(tries)
    return {"ahead_ms": round(ahead * 1e3, 3), "within_ms": round(took * 5e2, 3)}
