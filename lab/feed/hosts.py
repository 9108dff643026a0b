"""The hosts of a lab: CPU, memory and daemons, from files of the kernel. Nothing is run on a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from lab.emulation.registry import HostRecord, Record
from lab.feed.objects import DaemonState, Plain
from lab.hosts.daemons import PIDS
from lab.live import host_files, inspect
from lab.measure.cgroups import folders, memory_in, memory_limit, memory_places, read_cpu

#: Hosts of which the daemons are looked at in one look: those of a larger lab are looked at in turn.
PER_LOOK = 25
#: What CPU (percent) and memory (share) must change by to be told again.
LEAST_CPU, LEAST_MEMORY = 0.5, 0.02
NOTHING: Plain = {"up": False, "cpu_percent": None, "memory_bytes": None, "daemons": []}


@dataclass
class _Host:
    """A host as it was last seen."""

    record: HostRecord
    quota: float | None
    cpu: tuple[Path, ...] = ()
    memory: tuple[Path, ...] = ()
    limit: int | None = None
    seconds: float | None = None
    at: float = 0.0
    daemons: Sequence[DaemonState] = ()
    told: Plain | None = None


class HostWatch:
    """The hosts of one lab; `read` yields a `host` object's fields for each with news."""

    def __init__(self, record: Record, quotas: Mapping[str, float | None]) -> None:
        self._hosts = [_seen(host, quotas.get(host.name)) for host in record.hosts]
        self._turn = 0

    def read(self) -> Iterator[Plain]:
        """Yield the fields of each host that changed since it was last told of."""
        looked = self._in_turn()
        for host in self._hosts:
            now = self._look(host, daemons=host in looked)
            if host.told is None or differs(host.told, now):
                host.told = now
                yield now

    def forget(self) -> None:
        """Tell of all hosts again at the next reading."""
        for host in self._hosts:
            host.told = None

    def with_ended_daemons(self) -> set[str]:
        """Return the hosts on which a daemon of an overlay has ended."""
        return {
            host.record.name
            for host in self._hosts
            if any(daemon["state"] == "ended" for daemon in host.daemons)
        }

    def _in_turn(self) -> list[_Host]:
        if len(self._hosts) <= PER_LOOK:
            return self._hosts
        start, self._turn = self._turn, (self._turn + PER_LOOK) % len(self._hosts)
        return (self._hosts + self._hosts)[start : start + PER_LOOK]

    def _look(self, host: _Host, *, daemons: bool) -> Plain:
        limit = {"cpu_quota_percent": host.quota, "memory_limit_bytes": host.limit}
        found: Plain = {"host": host.record.name, "up": True, **limit}
        if not host.record.process.alive():
            why = host.told["why"] if host.told and not host.told["up"] else inspect.end_of(host.record)
            return {**found, **NOTHING, "why": why}
        if daemons:
            host.daemons = tuple(daemons_of(host.record))
        return {
            **found,
            "cpu_percent": _cpu(host),
            "memory_bytes": memory_in(host.memory),
            "daemons": list(host.daemons),
        }


def _seen(record: HostRecord, cpus: float | None) -> _Host:
    quota = None if cpus is None else round(100 * cpus, 1)
    if record.light:
        return _Host(record, quota)
    membership = inspect.membership(record)
    places = memory_places(membership, record.container_id)
    return _Host(record, quota, folders(membership, record.container_id), places, memory_limit(places))


def _cpu(host: _Host) -> float | None:
    if not host.cpu:
        return None
    now, seconds = monotonic(), read_cpu(host.cpu).seconds
    used, passed = seconds - (host.seconds or 0.0), now - host.at
    known, host.seconds, host.at = host.seconds is not None, seconds, now
    return round(max(0.0, 100 * used / passed), 1) if known and passed > 0 else None


def daemons_of(host: HostRecord) -> Iterator[DaemonState]:
    """Yield the daemons of overlays on a host."""
    for file in host_files.names(host.process, PIDS, ".pid"):
        name = file.removesuffix(".pid")
        if name.startswith("watch-"):
            continue
        if inspect.ended(host, name):
            yield {"name": name, "state": "ended", "said": inspect.last_words_of(host, name)}
        else:
            yield {"name": name, "state": "runs"}


def differs(before: Plain, now: Plain) -> bool:
    """Tell if a host changed by so much that it is worth telling."""
    same = ("up", "daemons", "cpu_quota_percent", "memory_limit_bytes")
    if any(before[key] != now[key] for key in same):
        return True
    most = LEAST_MEMORY * (before["memory_bytes"] or 0)
    return _moved(before, now, "cpu_percent", LEAST_CPU) or _moved(before, now, "memory_bytes", most)


def _moved(before: Plain, now: Plain, name: str, least: float) -> bool:
    a, b = before[name], now[name]
    return a is not b if a is None or b is None else bool(abs(a - b) > least)
