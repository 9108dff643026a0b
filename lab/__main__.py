"""python -m lab: find an interpreter that has the lab's packages, then run the command line.

`sudo` finds the system's Python, not the one of a virtual environment. Standing beside
the lab's own environment, this module hands over to it; without one it says what to do.
Nothing outside the standard library is imported before that is settled.
"""

from __future__ import annotations

import atexit
import gc
import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv" / "bin" / "python"
NEEDED = ("typer", "networkx", "pydantic")


def missing_packages() -> list[str]:
    """Return the packages that this interpreter lacks, of those that every verb needs."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def hand_over(missing: list[str]) -> None:
    """Replace this process by the lab's own interpreter, or end with one sentence."""
    if ENVIRONMENT.exists() and os.environ.get("LAB_HANDED_OVER") != "1":
        print(f"lab: {sys.executable} lacks {', '.join(missing)}; using {ENVIRONMENT}", file=sys.stderr)
        sys.stderr.flush()
        os.environ["LAB_HANDED_OVER"] = "1"
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        os.execv(ENVIRONMENT, [str(ENVIRONMENT), "-m", "lab", *sys.argv[1:]])
    sys.exit(
        f"lab: {sys.executable} lacks the packages {', '.join(missing)}; run 'make setup' in {ROOT}, "
        f"or name the right interpreter: sudo {ENVIRONMENT} -m lab …"
    )


def main() -> None:
    """Run the command line."""
    if missing := missing_packages():
        hand_over(missing)
    # starting makes 70,000 objects and no garbage: looking for some after every 700 of them, and once more
    # at the end, takes a quarter of the time of a short command
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    from lab.cli.main import run

    run()


if __name__ == "__main__":
    main()
