"""A GTS DSL document as data: resources, their ports, and which port meets which."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

Value = str | int | float | bool
Attributes = tuple[tuple[str, Value], ...]

#: Resources that stand somewhere and have ports, and the one that joins two of them.
NODES = ("host", "ofx", "vsi", "baremetalserver")
LINK = "link"
#: What documents in the wild name the two ports of a link.
ENDS = ("src", "dst")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a resource; `at` is its place in the text, or 0."""

    id: str
    attributes: Attributes = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """A host, switch, server or link.

    `attributes` are all but id and location; `blocks` are the inner blocks that are no
    ports (a switch's ``controller``), each a name and its attributes; `at` is where the id stands.
    """

    kind: str
    id: str
    location: str | None
    ports: tuple[Port, ...]
    attributes: Attributes = ()
    blocks: tuple[tuple[str, Attributes], ...] = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Adjacency:
    """One end of a link: a port of a node meets a port of a link."""

    node: str
    port: str
    link: str
    link_port: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document; `resources` and `adjacencies` in the order of the text."""

    name: str
    id: str | None
    description: str
    resources: tuple[Resource, ...]
    adjacencies: tuple[Adjacency, ...]
    attributes: Attributes = ()

    def nodes(self) -> Iterable[Resource]:
        """Everything but the links."""
        return (resource for resource in self.resources if resource.kind != LINK)

    def links(self) -> Iterable[Resource]:
        """The links."""
        return (resource for resource in self.resources if resource.kind == LINK)


def natural_key(text: str) -> tuple[object, ...]:
    """A sort key in which h2 comes before h10, whatever the case; ties go by the text itself."""
    parts = re.split(r"(\d+)", text.lower())
    return (tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part), text)
