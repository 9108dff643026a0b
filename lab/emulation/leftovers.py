"""What a Docker daemon leaves on a machine when it ends, and taking that away.

Written down before the daemon starts: what of it was there already stays.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
NAME = "before.json"


@dataclass(frozen=True)
class Before:
    """Paths that were there before the daemon was started."""

    paths: frozenset[str]

    @classmethod
    def take(cls, candidates: Sequence[Path]) -> Before:
        return cls(frozenset(str(p) for p in candidates if p.exists()))

    @classmethod
    def read(cls, folder: Path) -> Before | None:
        try:
            return cls(frozenset(json.loads((folder / NAME).read_text())))
        except (OSError, ValueError):
            return None

    def write(self, folder: Path) -> None:
        temporary = folder / f"{NAME}.tmp"
        temporary.write_text(json.dumps(sorted(self.paths)))
        temporary.rename(folder / NAME)


def control_groups() -> list[Path]:
    """The groups in which a daemon puts its containers: one per controller, or one in all."""
    return [p for p in (CGROUPS / "docker", *CGROUPS.glob("*/docker")) if p.is_dir()]


def mounts_below(folder: Path) -> list[str]:
    """Mount points at or below a folder, the innermost first."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [p for p in points if p == str(folder) or p.startswith(f"{folder}/")]
    return sorted(inside, key=len, reverse=True)


def clear(before: Before, unmount: Sequence[Path], delete: Sequence[Path]) -> None:
    """Take away what was not there before: mounts below `unmount`, the paths `delete`, control groups.

    Only empty control groups go: one with a process in it is somebody's.
    """
    for point in (p for root in unmount for p in mounts_below(root.resolve())):
        if point not in before.paths:
            subprocess.run(["umount", point], check=False, capture_output=True)
    for path in (p for p in delete if str(p) not in before.paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for group in (g for g in control_groups() if str(g) not in before.paths):
        with suppress(OSError):
            group.rmdir()
