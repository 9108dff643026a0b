"""Remove one lab, in a process of its own. ``python -m lab.emulation.reap ID``

For a program that ends: it can start no thread any more, and the engine needs some.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def reap(lab_id: str) -> None:
    """Start such a process, and wait for it."""
    subprocess.run([sys.executable, "-m", "lab.emulation.reap", lab_id], cwd=ROOT, check=False)


def main(lab_id: str) -> None:
    from lab.emulation import cleanup
    from lab.emulation.ownership import LabState

    asyncio.run(cleanup.remove(LabState(lab_id)))


if __name__ == "__main__":
    main(sys.argv[1])
