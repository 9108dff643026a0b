"""The machine while a sample was measured: CPU, steal, pressure, drops, clocks, quotas.

Read from /proc and the hosts' cgroups at the start and at the end of a sample. In between only one
thread reads a line ten times a second; where an experiment asks for the hosts' CPU over time,
another reads one small file per host now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from lab.measure import clocks
from lab.measure.cgroups import HostCpu, read_cpu, read_text
from lab.measure.clocks import Clocks
from lab.measure.cpu_saturation import WINDOW, busy_share, saturated_share

T = TypeVar("T")

#: Columns of the first line of /proc/stat, in clock ticks (proc_stat(5)).
_STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
#: What pressure is recorded of, and under which name (proc_pressure, Documentation/accounting/psi.rst).
_PRESSURES = {"cpu": "pressure", "memory": "pressure_memory", "io": "pressure_io"}


class Recorder(Protocol):
    """Records something of the machine from `start` to `stop`."""

    async def start(self) -> None: ...

    async def stop(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Snapshot:
    """Counters at one instant.

    Attributes:
        at: time (s).
        ticks: CPU time by kind, in clock ticks.
        pressure: µs in which some task waited, by name of the record; only what the kernel tells.
        hosts: CPU per host.
        dropped: packets that the kernel dropped because no CPU took them from its backlog in time.
        clocks: the kernel's clocks.
    """

    at: float
    ticks: Mapping[str, int]
    pressure: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, HostCpu] = field(default_factory=dict)
    dropped: int = 0
    clocks: Clocks = field(default_factory=clocks.read)


class NothingToRecord:
    """A recorder for virtual time: a machine of which nothing is used has no limits to record."""

    async def start(self) -> None:
        """Begin nothing."""

    async def stop(self) -> dict[str, Any]:
        """Return an empty record."""
        return {}


class Poller(Generic[T]):
    """Keeps what `read` returns, now and every `interval` (s), by a thread, until it is stopped."""

    def __init__(self, read: Callable[[], T], interval: float) -> None:
        self._read, self._interval, self._over = read, interval, Event()
        self._readings = [(monotonic(), read())]
        self._thread = Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> list[tuple[float, T]]:
        """End the thread, and return the readings with their times (s)."""
        self._over.set()
        self._thread.join()
        return self._readings

    def _sample(self) -> None:
        while not self._over.wait(self._interval):
            self._readings.append((monotonic(), self._read()))


def cpu_shares(points: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, Any]:
    """Return the CPUs in use (1 is one whole CPU) between each two readings of the CPU time (s) of hosts.

    The times (s) are those at which an interval ends.
    """
    steps = list(pairwise(points))
    return {
        "at_s": [round(at - points[0][0], 3) for _, (at, _) in steps],
        "hosts": {
            name: [round((b[name] - a[name]) / max(at - was, 1e-9), 3) for (was, a), (at, b) in steps]
            for name in (points[0][1] if points else ())
        },
    }


class MachineRecorder:
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
        self._ticks: Poller[dict[str, int]] | None = None
        self._cpu_times: Poller[dict[str, float]] | None = None

    async def start(self) -> None:
        """Take the counters before a sample."""
        self._before = self._snapshot()
        self._ticks = Poller(partial(read_ticks, self._proc), WINDOW)
        if self._interval is not None:
            self._cpu_times = Poller(self._read_cpu_times, self._interval)

    async def stop(self) -> dict[str, Any]:
        """Return what happened since `start`; see `difference`."""
        assert self._before is not None, "stop() without start()"
        assert self._ticks is not None
        timeline = {"timeline": cpu_shares(self._cpu_times.stop())} if self._cpu_times else {}
        full = {"full": saturated_share(self._ticks.stop())}
        return {**difference(self._before, self._snapshot()), **full, **timeline}

    def _read_cpu_times(self) -> dict[str, float]:
        return {name: read_cpu(folders).seconds for name, folders in self._hosts.items()}

    def _snapshot(self) -> Snapshot:
        return snapshot(self._hosts, self._proc)


def snapshot(hosts: Mapping[str, tuple[Path, ...]] | None = None, proc: Path = Path("/proc")) -> Snapshot:
    """Return the counters of this machine now, with the CPU of hosts by their cgroup's folders."""
    return Snapshot(
        monotonic(),
        read_ticks(proc),
        _pressures(proc / "pressure"),
        {name: read_cpu(folders) for name, folders in (hosts or {}).items()},
        parse_dropped(read_text(proc / "net" / "softnet_stat")),
    )


def read_ticks(proc: Path = Path("/proc")) -> dict[str, int]:
    """Return what the machine's processors did so far, in clock ticks by kind."""
    return parse_stat((proc / "stat").read_text())


def parse_stat(text: str) -> dict[str, int]:
    """Ticks by kind from the first line of /proc/stat."""
    return dict(zip(_STAT, map(int, text.split("\n", 1)[0].split()[1:]), strict=False))


def parse_pressure(text: str) -> int:
    """Microseconds in which at least one task waited: ``some … total=N``."""
    some = next(line for line in text.splitlines() if line.startswith("some"))
    return int(some.rsplit("total=", 1)[1])


def parse_dropped(text: str) -> int:
    """Packets dropped by full backlogs: the second column of /proc/net/softnet_stat, a line per CPU."""
    return sum(int(line.split()[1], 16) for line in text.splitlines())


def _pressures(folder: Path) -> dict[str, int]:
    """Return pressure (µs) by the name of its record; empty where the kernel keeps none."""
    texts = {name: read_text(folder / kind) for kind, name in _PRESSURES.items()}
    return {name: parse_pressure(text) for name, text in texts.items() if text}


def difference(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Shares (0–1) of the time between two snapshots, drops, clocks, and CPU time of each host (s)."""
    seconds = after.at - before.at
    ticks = {kind: after.ticks[kind] - before.ticks[kind] for kind in after.ticks}
    total = max(sum(ticks.values()), 1)
    record: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "busy": round(busy_share(before.ticks, after.ticks), 4),
        "nice": round(ticks.get("nice", 0) / total, 4),
        "steal": round(ticks.get("steal", 0) / total, 4),
        "dropped": after.dropped - before.dropped,
        "clock": clocks.difference(before.clocks, after.clocks),
    }
    for name, waited in after.pressure.items():
        share = (waited - before.pressure.get(name, waited)) / 1e6 / max(seconds, 1e-9)
        record[name] = round(min(share, 1.0), 4)
    record["hosts"] = {
        name: after.hosts[name].since(before.hosts[name]) for name in after.hosts if name in before.hosts
    }
    return record
