"""The impairments of a link, one direction at a time: names, defaults, ranges, units, meanings.

This is the only place that has them. Topologies, changes while a lab runs, recorded traces and
shapers all read them here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lab.errors import nearest
from lab.util import documents
from lab.util.documents import shown

#: How jitter spreads; its figure is the standard deviation.
DISTRIBUTIONS = ("normal", "uniform", "pareto")


def _parameter(default: Any, least: float, most: float, unit: str, meaning: str) -> Any:
    return field(default=default, metadata={"range": (least, most, unit), "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonImpairments:
    """All impairments except the delay: both directions of a link may have the same."""

    rate: float | None = _parameter(None, 0.001, 1e6, "Mbit/s", "Mbit/s with Ethernet headers")
    jitter: float = _parameter(
        0.0, 0.0, 5e3, "ms", "ms, standard deviation of the delay; packets keep their order"
    )
    loss: float = _parameter(0.0, 0.0, 99.9, "percent", "percent of the packets, each by its own chance")
    distribution: str = field(
        default="normal", metadata={"meaning": "of the jitter: normal (default), uniform or pareto"}
    )
    burst: float | None = _parameter(
        *(None, 1.0, 1e5, "packets"),
        "packets lost in a row, on average (Gilbert-Elliott); `loss` is the share that is lost in all",
    )
    duplicate: float = _parameter(0.0, 0.0, 100.0, "percent", "percent of the packets that arrive twice")
    corrupt: float = _parameter(
        0.0, 0.0, 100.0, "percent", "percent of the packets in which one bit is wrong"
    )
    reorder: float = _parameter(
        0.0, 0.0, 99.9, "percent", "percent of the packets that are not delayed, and so overtake others"
    )
    queue: int | None = _parameter(
        *(None, 1.0, 1e12, "bytes"),
        "bytes that wait for the rate; by default twice rate × 2 × delay, and 64 full packets at least",
    )


@dataclass(frozen=True, slots=True)
class Impairments(CommonImpairments):
    """The impairments of one direction of a link."""

    delay: float = _parameter(0.0, 0.0, 5e3, "ms", "ms, one way; `rtt` sets half of it in each direction")


_COMMON = {one.name: one for one in fields(CommonImpairments)}
_ALL = {one.name: one for one in fields(Impairments) if one.name not in _COMMON} | _COMMON
#: The names of all impairments, the delay first.
PARAMETERS = tuple(_ALL)
#: Unit and meaning of each, in words.
MEANINGS: Mapping[str, str] = {name: one.metadata["meaning"] for name, one in _ALL.items()}
#: Least, most, unit of those that are numbers. What lies outside is a slip of the pen, not a network.
RANGES: Mapping[str, tuple[float, float, str]] = {
    name: one.metadata["range"] for name, one in _ALL.items() if "range" in one.metadata
}
#: The values of `CommonImpairments` where nothing is said.
DEFAULTS: Mapping[str, Any] = {name: one.default for name, one in _COMMON.items()}
#: Parameters that a running link may have set to nothing: no rate, no bursts, the usual queue.
CLEARABLE = tuple(name for name, default in DEFAULTS.items() if default is None)


def faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything that is wrong with the parameters of one direction, each as half a sentence.

    A value of None is one that was not given.
    """
    for name, value in values.items():
        if name not in PARAMETERS:
            yield unknown(name, PARAMETERS)
        elif name == "distribution":
            if value not in (None, *DISTRIBUTIONS):
                yield f"distribution {shown(value)} is none of {', '.join(DISTRIBUTIONS)}"
        elif value is not None:
            yield from out_of_range(name, value, RANGES[name])


def running_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with values for a link that runs: unlike a topology's, it may lose everything."""
    return faults({name: value for name, value in values.items() if (name, value) != ("loss", 100)})


def out_of_range(name: str, value: Any, allowed: tuple[float, float, str]) -> Iterator[str]:
    """Yield what is wrong with one number; `allowed` is its least, its most, and its unit."""
    least, most, unit = allowed
    if documents.number(value) is None:
        yield f"{name} {shown(value)} is not a number"
    elif not least <= value <= most:
        yield f"{name} {value:g} {unit} is not between {least:g} and {most:g}"
    elif unit == "bytes" and value != int(value):
        yield f"{name} {value:g} is not a whole number of bytes"


def combined_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the parameters of one direction together, once all have their values."""
    if values["jitter"] > values["delay"]:
        yield f"jitter {values['jitter']:g} ms is more than the {values['delay']:g} ms of each direction"
    if values["reorder"] and not values["delay"]:
        yield "packets cannot overtake others without a delay"
    if values["burst"] is not None:
        least = values["loss"] / (100 - values["loss"]) if values["loss"] < 100 else math.inf
        if not values["loss"]:
            yield f"bursts of {values['burst']:g} packets need a loss"
        elif values["burst"] < least:
            yield f"a loss of {values['loss']:g} percent needs bursts of {least:.3g} packets at least"


def unknown(name: Any, known: Iterable[str], what: str = "attribute") -> str:
    """Return the fault that a name is unknown, with the nearest known one, or all of them."""
    near = nearest(str(name), known)
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown {what} {shown(name)} ({hint})"
