"""What real hosts went through while a sample was measured, by their own counters.

Asked over SSH before and after a sample, so that nothing runs on a host beside the measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from lab.errors import HostError
from lab.hosts.base import Runner
from lab.hosts.common import MARK
from lab.measure.machine import Snapshot, difference, parse_dropped, parse_pressure, parse_stat
from lab.together import together

SCRIPT = f"""\
head -n 1 /proc/stat
echo '{MARK}'
cat /proc/pressure/cpu 2>/dev/null || :
echo '{MARK}'
cat /proc/pressure/memory 2>/dev/null || :
echo '{MARK}'
cat /proc/net/softnet_stat
"""


class HostsRecorder:
    """Records all hosts from `start` to `stop`; a host that does not answer is left out."""

    def __init__(self, hosts: Mapping[str, Runner]) -> None:
        self._hosts = hosts
        self._before: dict[str, Snapshot] = {}

    async def start(self) -> None:
        """Take the counters of all hosts before a sample."""
        self._before = await self._snapshots()

    async def stop(self) -> dict[str, Any]:
        """Per host: shares (0–1) of busy and stolen CPU time and of CPU pressure, since `start`."""
        after = await self._snapshots()
        rows = {name: _row(self._before[name], now) for name, now in after.items() if name in self._before}
        return {"seconds": max((row.pop("seconds") for row in rows.values()), default=0.0), "hosts": rows}

    async def _snapshots(self) -> dict[str, Snapshot]:
        found = await together(_snapshot(host) for host in self._hosts.values())
        return {name: one for name, one in zip(self._hosts, found, strict=True) if one is not None}


def _row(before: Snapshot, after: Snapshot) -> dict[str, float]:
    """One host's record; the clocks in it are this machine's, which times nothing here."""
    record = difference(before, after)
    return {key: value for key, value in record.items() if key not in ("hosts", "clock")}


async def _snapshot(host: Runner) -> Snapshot | None:
    try:
        said = await host.run(["sh"], stdin=SCRIPT.encode(), timeout=20)
    except HostError:
        return None
    return parse(said.stdout)


def parse(text: str) -> Snapshot:
    """What `SCRIPT` printed."""
    stat, pressure, memory, dropped = (part.lstrip() for part in text.split(MARK))
    told = {"pressure": pressure, "pressure_memory": memory}
    waited = {name: parse_pressure(said) for name, said in told.items() if "some" in said}
    return Snapshot(monotonic(), parse_stat(stat), waited, dropped=parse_dropped(dropped))
