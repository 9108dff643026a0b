"""Values with a unit, as people write them: ``10ms``, ``100Mbit``, ``1%``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Of each unit that the lab calculates in: the units that can be written, and what one of them is.
UNITS: Mapping[str, Mapping[str, float]] = {
    "ms": {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    "Mbit/s": {"bit": 1e-6, "kbit": 1e-3, "Mbit": 1.0, "Gbit": 1e3},
    "percent": {"%": 1.0},
}
_VALUE = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([^\W\d_]+|%)?(/s)?\s*", re.IGNORECASE)


def read(value: Any, unit: str) -> Any:
    """Return a text such as ``10ms`` as a number in `unit`; other values are returned without a change.

    Raises:
        ValueError: the text has a unit that is none of `UNITS`; half a sentence.
    """
    found = _VALUE.fullmatch(value) if isinstance(value, str) and len(value) < 100 else None
    if not found or not (word := found[2]):
        return value
    known = UNITS.get(unit, {})
    factors = {name.lower(): factor for name, factor in known.items()}
    factor = factors.get(word.replace("μ", "µ").lower())  # the Greek letter, and the sign
    if factor is None or (found[3] and unit != "Mbit/s"):
        can = (
            f"write {', '.join(known)}, or a number alone for {unit}"
            if known
            else f"it is a number of {unit}"
        )
        raise ValueError(f"{word}{found[3] or ''} is no unit for it; {can}")
    return round(float(found[1]) * factor, 9)


def number(text: str, unit: str) -> float:
    """Return the number in a text, with or without a unit.

    Raises:
        ValueError: it is none; half a sentence.
    """
    value = read(text, unit)
    try:
        return float(value)
    except ValueError:
        written = ", ".join(UNITS.get(unit, {}))
        more = f", or one with a unit: {written}" if written else ""
        raise ValueError(f"write a number of {unit}{more}") from None
