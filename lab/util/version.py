"""The version of this program, with the commit that it was built of or runs from."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where a wheel or a source archive has its commit: there is no git repository around it.
STORED = Path("lab", "commit.txt")


def version(root: Path = ROOT) -> str:
    """Return the version, and the commit; ``+`` marks changed files."""
    found = commit(root)
    return f"{number()}, commit {found}" if found else number()


def number() -> str:
    """Return the version without the commit."""
    from importlib import metadata  # a quarter of the time of a short command

    try:
        return metadata.version("overlay-lab")
    except metadata.PackageNotFoundError:
        return "not installed"


def commit(root: Path) -> str:
    """Return the commit of the git repository in this folder, or the stored one; empty if it has neither."""
    if not (root / ".git").exists():
        stored = root / STORED
        return stored.read_text().strip() if stored.exists() else ""
    argv = ["git", "-C", str(root), "describe", "--always", "--exclude", "*", "--abbrev=9", "--dirty=+"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
