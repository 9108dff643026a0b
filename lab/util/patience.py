"""Deadlines on a machine that is much slower than others."""

from __future__ import annotations

import os

from lab.errors import UsageError

VARIABLE = "LAB_PATIENCE"


def patient(seconds: float) -> float:
    """Return the time (s) to wait on this machine for what takes at most so long on others.

    Raises:
        UsageError: the variable ``LAB_PATIENCE``, by which it is multiplied, is no positive number.
    """
    given = os.environ.get(VARIABLE, "1")
    try:
        factor = float(given)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise UsageError(f"{VARIABLE}={given!r} is no positive number; give one such as 10, or none")
    return seconds * factor
