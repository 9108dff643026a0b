"""The version of this program, with the commit where it runs from a git repository."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version(root: Path = ROOT) -> str:
    """Return the version, and the commit of the repository in this folder; ``+`` marks changed files."""
    try:
        number = importlib.metadata.version("overlay-lab")
    except importlib.metadata.PackageNotFoundError:
        number = "not installed"
    commit = _commit(root)
    return f"{number}, commit {commit}" if commit else number


def _commit(root: Path) -> str:
    if not (root / ".git").exists():
        return ""
    argv = ["git", "-C", str(root), "describe", "--always", "--exclude", "*", "--abbrev=9", "--dirty=+"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
