"""The service's own rules, as far as they are known: the meaning of its words, and its limits.

Sources: GTS documents in the wild and the limits that Hermans & de Niet 2016 report: a
host's `cpuSpeed` is 2 GHz unless given and capped at 2.5; a port's `lineRate` is 1 Gbit/s
unless given and goes in steps of 1; a link's `capacity` is said to be 10 Mbit/s unless
given, and 100 was seen not to be enforced; `bandwidth` is said not to be supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from lab.dsl.document import LINK, Document, Port, Resource
from lab.topology.sites import SITES

CPU_SPEED = 2.5  # GHz
LINE_RATE = 1.0  # Gbit/s
IDENTIFIER = re.compile(r"[A-Za-z$][A-Za-z0-9]*")
NO_IDENTIFIER = "is not a letter followed by letters and digits, which is all that one known writer allows"
FLAVOURS = (
    *("c1r1h10", "c2r2h10", "c2r2h20", "c3r3h30", "c4r4h20", "c4r8h20"),
    *("tiny", "small", "medium", "large"),
)
#: Attributes seen in documents, by kind of resource; others are kept, with a warning.
KNOWN_ATTRIBUTES = {
    "host": {"cpuSpeed", "imageId", "flavorId"},
    "ofx": {"fabricIPv4", "fabricSubnetMaskv4", "controllerIPv4", "controllerPort"},
    "vsi": {"switchIPv4Addr", "switchIPv4Mask", "switchMode"},
    "baremetalserver": {"image"},
    LINK: {"capacity", "bandwidth"},
}
KNOWN_PORT_ATTRIBUTES = {"lineRate", "mode", "logicalPort"}


class Limit(NamedTuple):
    """A rule of the service that a document may run into; `name` is a word or two."""

    name: str
    text: str


def to_number(value: Any) -> float | None:
    """A number, with or without quotes; None for other values."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


def rate_of(attributes: Mapping[str, Any], ports: Iterable[Mapping[str, Any]]) -> float | None:
    """The rate (Mbit/s) that a link asks for: its `capacity`, `bandwidth`, or its ports' `lineRate`."""
    for name in ("capacity", "bandwidth"):
        if name in attributes:
            return to_number(attributes[name])
    lines = [to_number(port["lineRate"]) for port in ports if "lineRate" in port]
    return min((1000 * line for line in lines if line is not None), default=None)


def cpus_of(attributes: Mapping[str, Any]) -> float | None:
    """The CPUs that a flavour such as c2r2h10 gives a host; None when it says nothing."""
    found = re.fullmatch(r"c(\d+)r\d+h\d+", str(attributes.get("flavorId", "")))
    return float(found[1]) if found else None


def limits(document: Document) -> list[Limit]:
    """Return where a document asks for what the service is known not to do, or not to know."""
    plain = IDENTIFIER.fullmatch(document.name)
    found = [] if plain else [Limit("name", f"name {document.name!r} {NO_IDENTIFIER}")]
    for resource in document.resources:
        what = f"{resource.kind} {resource.id!r}"
        found += [Limit(name, f"{what} {text}") for name, text in _limits(resource)]
    return found


def _limits(resource: Resource) -> Iterator[tuple[str, str]]:
    attributes = dict(resource.attributes)
    if not IDENTIFIER.fullmatch(resource.id):
        yield "name", NO_IDENTIFIER
    if resource.kind == LINK:
        yield from _link_limits(attributes, resource.ports)
    elif (resource.location or "").upper() not in SITES:
        yield "location", f"is at {resource.location!r}, which is no known location of the service"
    if resource.kind == "host":
        yield from _host_limits(attributes)
    for port in resource.ports:
        yield from _port_limits(port)
    if unseen := sorted(attributes.keys() - KNOWN_ATTRIBUTES[resource.kind]):
        yield "attribute", f"has {', '.join(unseen)}, which no known document has"


def _host_limits(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "cpuSpeed" in attributes:
        speed = to_number(attributes["cpuSpeed"])
        if speed is None or speed > CPU_SPEED:
            yield "cpuSpeed", f"asks for {attributes['cpuSpeed']} GHz; the service gives at most {CPU_SPEED}"
    if "flavorId" in attributes and attributes["flavorId"] not in FLAVOURS:
        yield "flavorId", f"has the flavour {attributes['flavorId']!r}; known are {', '.join(FLAVOURS)}"


def _link_limits(attributes: Mapping[str, Any], ports: Iterable[Port]) -> Iterator[tuple[str, str]]:
    if "capacity" in attributes:
        yield "capacity", f"asks for {attributes['capacity']} Mbit/s; the service was seen not to enforce it"
    if "bandwidth" in attributes:
        yield "bandwidth", "has a bandwidth, which the service is reported not to support"
    rate = rate_of(attributes, ())
    lines = [to_number(dict(port.attributes).get("lineRate")) or LINE_RATE for port in ports]
    if rate is not None and rate > 1000 * min(lines, default=LINE_RATE):
        yield "lineRate", f"asks for {rate:g} Mbit/s over ports of {min(lines, default=LINE_RATE):g} Gbit/s"


def _port_limits(port: Port) -> Iterator[tuple[str, str]]:
    attributes = dict(port.attributes)
    if "lineRate" in attributes:
        line = to_number(attributes["lineRate"])
        if line is None or line < 1 or line != int(line):
            yield (
                "lineRate",
                f"port {port.id!r} asks for {attributes['lineRate']}; it goes in steps of 1 Gbit/s",
            )
    if unseen := sorted(attributes.keys() - KNOWN_PORT_ATTRIBUTES):
        yield "attribute", f"port {port.id!r} has {', '.join(unseen)}, which no known document has"
