"""What the machine went through while a sample was measured: CPU, steal, pressure, hosts' quotas.

Read from /proc and the hosts' cgroups at the start and at the end of a sample; nothing runs
in between, so the record costs the measurement no CPU. Where an experiment asks for the hosts'
CPU over time, a thread reads one small file per host now and then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, Protocol

from lab.measure.cgroups import HostCpu, read_cpu

#: Columns of the first line of /proc/stat, in clock ticks (proc_stat(5)).
_STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_IDLE = ("idle", "iowait")


class Recorder(Protocol):
    """Records something of the machine from `start` to `stop`."""

    async def start(self) -> None: ...

    async def stop(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Snapshot:
    """Counters at one instant: time (s), ticks by kind, CPU pressure (µs), CPU per host."""

    at: float
    ticks: Mapping[str, int]
    pressure: int | None
    hosts: Mapping[str, HostCpu] = field(default_factory=dict)


class Timeline:
    """The CPU time of every host, read every `interval` (s) by a thread until it is stopped."""

    def __init__(self, hosts: Mapping[str, tuple[Path, ...]], interval: float) -> None:
        self._hosts, self._interval = hosts, interval
        self._points: list[tuple[float, dict[str, float]]] = []
        self._over = Event()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """Per host the CPUs in use (1 is one whole CPU) at each time (s, the end of its interval)."""
        self._over.set()
        self._thread.join()
        return shares(self._points)

    def _read(self) -> None:
        while True:
            used = {name: read_cpu(folders).seconds for name, folders in self._hosts.items()}
            self._points.append((monotonic(), used))
            if self._over.wait(self._interval):
                return


def shares(points: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, Any]:
    """CPUs in use between each two readings of the CPU time (s) of hosts."""
    steps = list(pairwise(points))
    return {
        "at_s": [round(at - points[0][0], 3) for _, (at, _) in steps],
        "hosts": {
            name: [round((b[name] - a[name]) / max(at - was, 1e-9), 3) for (was, a), (at, b) in steps]
            for name in (points[0][1] if points else ())
        },
    }


class Machine:
    """Records the machine between `start` and `stop`.

    `hosts` maps a host's name to its cgroup's folders; with an `interval` (s) the record also
    has a ``timeline`` of the hosts' CPU.
    """

    def __init__(
        self,
        hosts: Mapping[str, tuple[Path, ...]] | None = None,
        proc: Path = Path("/proc"),
        interval: float | None = None,
    ) -> None:
        self._hosts, self._proc, self._interval = dict(hosts or {}), proc, interval
        self._before: Snapshot | None = None
        self._timeline: Timeline | None = None

    async def start(self) -> None:
        """Take the counters before a sample."""
        self._before = self._snapshot()
        if self._interval is not None:
            self._timeline = Timeline(self._hosts, self._interval)

    async def stop(self) -> dict[str, Any]:
        """Return what happened since `start`; see `difference`."""
        assert self._before is not None, "stop() without start()"
        timeline = {"timeline": self._timeline.stop()} if self._timeline else {}
        return {**difference(self._before, self._snapshot()), **timeline}

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            monotonic(),
            parse_stat((self._proc / "stat").read_text()),
            _pressure(self._proc / "pressure" / "cpu"),
            {name: read_cpu(folders) for name, folders in self._hosts.items()},
        )


def parse_stat(text: str) -> dict[str, int]:
    """Ticks by kind from the first line of /proc/stat."""
    return dict(zip(_STAT, map(int, text.split("\n", 1)[0].split()[1:]), strict=False))


def parse_pressure(text: str) -> int:
    """Microseconds in which at least one task waited for a CPU: ``some … total=N``."""
    some = next(line for line in text.splitlines() if line.startswith("some"))
    return int(some.rsplit("total=", 1)[1])


def _pressure(path: Path) -> int | None:
    """None where the kernel keeps no pressure figures."""
    try:
        return parse_pressure(path.read_text())
    except OSError:
        return None


def difference(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Shares (0–1) of the time between two snapshots, and CPU time of each host (s)."""
    seconds = after.at - before.at
    ticks = {kind: after.ticks[kind] - before.ticks[kind] for kind in after.ticks}
    total = max(sum(ticks.values()), 1)
    record: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "busy": round(1 - sum(ticks.get(kind, 0) for kind in _IDLE) / total, 4),
        "steal": round(ticks.get("steal", 0) / total, 4),
    }
    if before.pressure is not None and after.pressure is not None:
        record["pressure"] = round(min((after.pressure - before.pressure) / 1e6 / max(seconds, 1e-9), 1.0), 4)
    record["hosts"] = {
        name: after.hosts[name].since(before.hosts[name]) for name in after.hosts if name in before.hosts
    }
    return record
