"""Folders in which the lab keeps things on a machine from one command to the next."""

from __future__ import annotations

import os
from pathlib import Path

#: Survives a reboot: seeded image stores, locks.
STATE = Path(os.environ.get("LAB_STATE_DIR", "/var/lib/lab"))


def cache_folder() -> Path:
    """Return the user's own folder for what can be fetched or built again (XDG_CACHE_HOME)."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "overlay-lab"
