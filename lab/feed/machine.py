"""This machine during an interval, and the verdict that a sample measured then would have."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.feed.flows import Measured
from lab.feed.objects import Plain
from lab.measure.cgroups import read_text
from lab.measure.machine import difference, snapshot
from lab.runs.sample import COUNTING
from lab.runs.verdict import verdict


class MachineWatch:
    """This machine since the last look."""

    def __init__(self) -> None:
        self._before = snapshot()

    def read(self, figures: Mapping[str, tuple[Measured, Measured]]) -> Plain:
        """Return the fields of a `machine` object; `figures` has the links during the same interval."""
        now = snapshot()
        record, self._before = difference(self._before, now), now
        judged = verdict(max(record["seconds"], 1e-3), record, dict(counts(figures, record["seconds"])))
        return {
            "cpu_percent": round(100 * record["busy"], 1),
            "load": round(os.getloadavg()[0], 2),
            "memory_free_bytes": free(read_text(Path("/proc/meminfo"))),
            "verdict_now": {
                "counts": judged.state in COUNTING,
                "sentences": list(judged.reasons),
            },
        }


def counts(figures: Mapping[str, tuple[Measured, Measured]], seconds: float) -> Mapping[str, Any]:
    """Return links as a verdict takes them, by link and direction."""
    return {
        f"{name} {direction}": {
            "packets": round(one.packets * seconds),
            "unasked": one.unexpected,
            **({} if one.late is None else {"late_mean_ms": one.late}),
        }
        for name, both in figures.items()
        for direction, one in zip(("ab", "ba"), both, strict=True)
    }


def free(meminfo: str) -> int:
    """Return the memory (bytes) that programs can still have, from the text of ``/proc/meminfo``."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
