"""Counters of real hosts, asked over SSH before and after a sample: nothing runs beside the measurement."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from lab.errors import HostError
from lab.hosts.daemons import LOGS
from lab.hosts.facts import MARK
from lab.hosts.host import CommandRunner, Host
from lab.measure.cpu_saturation import IDLE
from lab.measure.machine import Snapshot, cpu_shares, difference, parse_dropped, parse_pressure, parse_stat
from lab.util.concurrency import together

#: The small program that writes down CPU time, and its name on a host.
TIMELINE = "timeline"
SAMPLING_LOOP = (
    "while read -r up _ < /proc/uptime && read -r stat < /proc/stat; do "
    'echo "$up $stat"; sleep {interval:g}; done'
)
#: Clock ticks per second in /proc/stat, on every Linux that Docker runs on.
HZ = 100
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
    """Records all hosts from `start` to `stop`; a host that does not answer is left out.

    With an `interval` (s) a small program on each host also writes down its CPU time, as often.
    """

    def __init__(self, hosts: Mapping[str, Host], interval: float | None = None) -> None:
        self._hosts, self._interval = hosts, interval
        self._before: dict[str, Snapshot] = {}

    async def start(self) -> None:
        """Take the counters of all hosts before a sample."""
        if self._interval is not None:
            await together(_begin(host, self._interval) for host in self._hosts.values())
        self._before = await self._snapshots()

    async def stop(self) -> dict[str, Any]:
        """Return per host shares (0–1) of busy and stolen CPU time and of pressure, since `start`."""
        after = await self._snapshots()
        rows = {name: _row(self._before[name], now) for name, now in after.items() if name in self._before}
        record = {"seconds": max((row.pop("seconds") for row in rows.values()), default=0.0), "hosts": rows}
        if self._interval is None:
            return record
        outputs = await together(_end(host) for host in self._hosts.values())
        return {**record, "timeline": timeline(dict(zip(self._hosts, outputs, strict=True)))}

    async def _snapshots(self) -> dict[str, Snapshot]:
        found = await together(_snapshot(host) for host in self._hosts.values())
        return {name: one for name, one in zip(self._hosts, found, strict=True) if one is not None}


async def _begin(host: Host, interval: float) -> None:
    with suppress(HostError):
        await host.start(TIMELINE, ["sh", "-c", SAMPLING_LOOP.format(interval=interval)])


async def _end(host: Host) -> str:
    """Stop the program of a host and return what it wrote; "" where the host is gone."""
    try:
        await host.stop(TIMELINE)
        output = (await host.get(f"{LOGS}/{TIMELINE}.log")).decode()
        await host.run(["rm", "-f", f"{LOGS}/{TIMELINE}.log"])
    except HostError:
        return ""
    return output


def timeline(outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return CPUs in use by host, at the times (s) that the first host tells: all began within moments."""
    points = {
        name: [_point(line) for line in text.splitlines() if line.count(" ") > 8]
        for name, text in outputs.items()
    }
    count = min((len(own) for own in points.values()), default=0)
    rows = {
        name: cpu_shares([(at, {name: used}) for at, used in own[:count]]) for name, own in points.items()
    }
    first: dict[str, Any] = next(iter(rows.values()), {"at_s": []})
    return {"at_s": first["at_s"], "hosts": {name: row["hosts"].get(name, []) for name, row in rows.items()}}


def _point(line: str) -> tuple[float, float]:
    """Return uptime and CPU time in use (s) from a line of `SAMPLING_LOOP`."""
    at, _, stat = line.partition(" ")
    ticks = parse_stat(stat)
    return float(at), sum(count for kind, count in ticks.items() if kind not in IDLE) / HZ


def _row(before: Snapshot, after: Snapshot) -> dict[str, float]:
    """One host's record; the clocks in it are this machine's, which times nothing here."""
    record = difference(before, after)
    return {key: value for key, value in record.items() if key not in ("hosts", "clock")}


async def _snapshot(host: CommandRunner) -> Snapshot | None:
    try:
        return parse((await host.run(["sh"], stdin=SCRIPT.encode(), timeout=20)).stdout)
    except HostError:
        return None


def parse(text: str) -> Snapshot:
    """Read what `SCRIPT` printed."""
    stat, pressure, memory, dropped = (part.lstrip() for part in text.split(MARK))
    kept = {"pressure": pressure, "pressure_memory": memory}
    waited = {name: parse_pressure(text) for name, text in kept.items() if "some" in text}
    return Snapshot(monotonic(), parse_stat(stat), waited, dropped=parse_dropped(dropped))
