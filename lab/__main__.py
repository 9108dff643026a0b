"""python -m lab: find an interpreter that has the lab's packages, then run the command line.

`sudo` finds the system's Python, not the one of a virtual environment. Standing beside
the lab's own environment, this module hands over to it; without one it says what to do.
Nothing outside the standard library is imported before that is settled.

``python -m`` looks for modules in the current directory first. As soon as this module runs, that ends, unless
the lab itself lies there: a `json.py` of somebody else must not run as root.
"""

from __future__ import annotations

import atexit
import gc
import importlib.util
import os
import stat
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv" / "bin" / "python"
NEEDED = ("typer", "networkx", "pydantic")


def missing_packages() -> list[str]:
    """Return the packages that this interpreter lacks, of those that every verb needs."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def leave_out_current_directory() -> None:
    """Remove the current directory from the search path, except if it is the lab's own."""
    if not sys.flags.safe_path and os.path.realpath(sys.path[0] or ".") != str(ROOT):
        del sys.path[0]


def others_can_write(folder: Path) -> bool:
    """Return True for a folder in which users other than root and the caller can make files."""
    known_users = {0, os.geteuid(), int(os.environ.get("SUDO_UID", "0"))}
    known_groups = {0, os.getegid(), int(os.environ.get("SUDO_GID", "0"))}
    found = folder.stat()
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid not in known_groups
    return bool(found.st_uid not in known_users or by_group or found.st_mode & stat.S_IWOTH)


def warn_of_current_directory() -> None:
    """Tell root that others could have put modules where Python looks first."""
    here = Path.cwd()
    if os.geteuid() == 0 and not sys.flags.safe_path and others_can_write(here):
        print(
            f"lab: warning: others can write to {here}, and Python runs modules that lie there, as root; "
            "start the lab from a folder of your own",
            file=sys.stderr,
        )


def hand_over(missing: list[str]) -> None:
    """Replace this process by the lab's own interpreter, or end with one sentence."""
    if ENVIRONMENT.exists() and os.environ.get("LAB_HANDED_OVER") != "1":
        print(f"lab: {sys.executable} lacks {', '.join(missing)}; using {ENVIRONMENT}", file=sys.stderr)
        sys.stderr.flush()
        os.environ["LAB_HANDED_OVER"] = "1"
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        os.execv(ENVIRONMENT, [str(ENVIRONMENT), "-P", "-m", "lab", *sys.argv[1:]])
    sys.exit(
        f"lab: {sys.executable} lacks the packages {', '.join(missing)}; run 'make setup' in {ROOT}, "
        f"or name the right interpreter: sudo {ENVIRONMENT} -m lab …"
    )


def main() -> None:
    """Run the command line."""
    warn_of_current_directory()
    leave_out_current_directory()
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
