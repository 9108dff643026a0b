"""Folders in which the lab keeps things on a machine from one command to the next."""

from __future__ import annotations

import os
from pathlib import Path

#: Survives a reboot: seeded image stores, locks.
STATE = Path(os.environ.get("LAB_STATE_DIR", "/var/lib/lab"))
