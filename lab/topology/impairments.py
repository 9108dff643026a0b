"""What can be imposed on a link: by topologies, by changes while a lab runs, by recorded traces.

All of it holds per direction. A link that says nothing has half of its round trip each way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import nearest

#: Parameter: least, most, unit. What lies outside is a slip of the pen, not a network.
RANGES: Mapping[str, tuple[float, float, str]] = {
    "delay": (0.0, 5_000.0, "ms"),
    "rate": (0.001, 1_000_000.0, "Mbit/s"),
    "jitter": (0.0, 5_000.0, "ms"),
    "loss": (0.0, 99.9, "percent"),
    "burst": (1.0, 100_000.0, "packets"),
    "duplicate": (0.0, 100.0, "percent"),
    "corrupt": (0.0, 100.0, "percent"),
    "reorder": (0.0, 99.9, "percent"),
    "queue": (1.0, 1e12, "bytes"),
}
#: How jitter spreads; its figure is the standard deviation, and none lies more than `WIDEST` of them off.
DISTRIBUTIONS = ("normal", "uniform", "pareto")
WIDEST = 4.0
PARAMETERS = (*RANGES, "distribution")


def faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong with the parameters of one direction, each as half a sentence.

    A value of None is one that was not given.
    """
    for name, value in values.items():
        if name not in PARAMETERS:
            yield f"unknown attribute {name!r}{_nearest(str(name))}"
        elif name == "distribution":
            if value not in (None, *DISTRIBUTIONS):
                yield f"distribution {value!r} is none of {', '.join(DISTRIBUTIONS)}"
        elif value is not None:
            yield from out_of_range(name, value, RANGES[name])


def out_of_range(name: str, value: Any, allowed: tuple[float, float, str]) -> Iterator[str]:
    """What is wrong with one number."""
    least, most, unit = allowed
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        yield f"{name} {value!r} is not a number"
    elif not least <= value <= most:
        yield f"{name} {value:g} {unit} is not between {least:g} and {most:g}"
    elif unit == "bytes" and value != int(value):
        yield f"{name} {value:g} is not a whole number of bytes"


def late_faults(way: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the parameters of one direction together, once all of them have their values."""
    if way["jitter"] > way["delay"]:
        yield f"jitter {way['jitter']:g} ms is more than the {way['delay']:g} ms of each direction"
    if way["reorder"] and not way["delay"]:
        yield "packets cannot overtake others without a delay"
    if way["burst"] is not None:
        least = way["loss"] / (100 - way["loss"]) if way["loss"] < 100 else math.inf
        if not way["loss"]:
            yield f"bursts of {way['burst']:g} packets need a loss"
        elif way["burst"] < least:
            yield f"a loss of {way['loss']:g} percent needs bursts of {least:.3g} packets at least"


def _nearest(name: str) -> str:
    near = nearest(name, PARAMETERS)
    return f" (did you mean {near!r}?)" if near else f" (known: {', '.join(sorted(PARAMETERS))})"
