"""A host container's CPU time and throttling, from its control group (v1 and v2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
#: Bytes that version 1 shows where there is no limit, and more.
UNLIMITED = 1 << 60


@dataclass(frozen=True)
class HostCpu:
    """CPU time used, and time that the quota held tasks back (s), since the group was made.

    `waiting` is the time in which some task of the host waited for a CPU (pressure, s); None in
    control groups of version 1, which have no such figure.
    """

    seconds: float
    throttled: float
    waiting: float | None = None

    def since(self, before: HostCpu) -> dict[str, float]:
        """Return what was added since `before`, as it is stored with a sample."""
        added = {
            "cpu_s": round(self.seconds - before.seconds, 4),
            "throttled_s": round(self.throttled - before.throttled, 4),
        }
        if self.waiting is not None and before.waiting is not None:
            added["waiting_s"] = round(self.waiting - before.waiting, 4)
        return added


def folders(membership: str, container: str, root: Path = ROOT) -> tuple[Path, ...]:
    """Return the folders of a container's CPU figures, from ``/proc/PID/cgroup`` of one of its processes.

    A path is cut after the part that names the container: a host's daemon may have moved its
    processes into groups below. One folder on v2, one or two on v1.
    """
    return tuple(
        folder
        for folder in _below(membership, container, root, {"cpu", "cpuacct"})
        if (folder / "cpu.stat").exists() or (folder / "cpuacct.usage").exists()
    )


def _below(membership: str, container: str, root: Path, wanted: set[str]) -> Iterator[Path]:
    """The folders of a container for these controllers (v1), or for all (v2)."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and not wanted & set(controllers.split(",")):
            continue
        parts = Path(path).parts
        depth = next((n for n, part in enumerate(parts) if container in part), None)
        if depth is not None:
            yield (root / controllers).joinpath(*parts[1 : depth + 1])


def memory_places(membership: str, container: str, root: Path = ROOT) -> tuple[Path, ...]:
    """Return the folders of a container's memory figures; see `folders`."""
    return tuple(_below(membership, container, root, {"memory"}))


def memory(membership: str, container: str, root: Path = ROOT) -> int | None:
    """Return the memory (bytes) that a container uses, without the kernel's file cache."""
    return memory_in(memory_places(membership, container, root))


def memory_limit(places: Iterable[Path]) -> int | None:
    """Return the memory (bytes) that a container may use; None without a limit."""
    for folder in places:
        text = read_text(folder / "memory.max") or read_text(folder / "memory.limit_in_bytes")
        if text.strip().isdigit() and int(text) < UNLIMITED:
            return int(text)
    return None


def memory_in(places: Iterable[Path]) -> int | None:
    """Return the memory (bytes) that is used in these folders, without the kernel's file cache."""
    for folder in places:
        used = read_text(folder / "memory.current") or read_text(folder / "memory.usage_in_bytes")
        if used:
            stat = _pairs(folder / "memory.stat")
            idle = stat.get("total_inactive_file", stat.get("inactive_file", 0))
            return max(0, int(used) - idle)
    return None


def read_cpu(where: tuple[Path, ...]) -> HostCpu:
    """Sum up the figures in the folders of one host; a group that is gone counts as no time."""
    usage, throttled, waiting = 0.0, 0.0, None
    for folder in where:
        stat = _pairs(folder / "cpu.stat")
        if "usage_usec" in stat:
            usage = stat["usage_usec"] / 1e6
        elif acct := read_text(folder / "cpuacct.usage"):
            usage = int(acct) / 1e9
        throttled = max(throttled, stat.get("throttled_usec", 0) / 1e6, stat.get("throttled_time", 0) / 1e9)
        if some := re.search(r"^some .*total=(\d+)", read_text(folder / "cpu.pressure"), re.MULTILINE):
            waiting = int(some[1]) / 1e6
    return HostCpu(usage, throttled, waiting)


def _pairs(path: Path) -> dict[str, int]:
    lines = (line.split() for line in read_text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def read_text(path: Path) -> str:
    """Return the text of a file of the kernel; empty where it has no such file."""
    try:
        return path.read_text()
    except OSError:
        return ""
