"""From a document to text: laid out as in appendix A of Zismer 2016.

Two dialects: ``v2`` is the appendix's own (`Name { … id="…" … }`); ``typed`` is what
documents from 2017 on have (`type Name { … }`, the id only where one was given).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from lab.dsl.document import LINK, Adjacency, Attributes, Document, Port, Resource, Value

INDENT = "    "
ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write(document: Document, dialect: str) -> str:
    """The document as text that ends in a newline; the same document always gives the same text."""
    head = f"type {document.name}" if dialect == "typed" else document.name
    sections = [
        list(_about(document, dialect)),
        [line for node in document.nodes() for line in _resource(node)],
        [line for link in document.links() for line in _resource(link)],
        *_pairs(document.adjacencies),
    ]
    body = "\n\n".join("\n".join(INDENT + line for line in lines) for lines in sections if lines)
    return f"{head} {{\n{body}\n}}\n"


def _about(document: Document, dialect: str) -> Iterator[str]:
    yield _attribute("description", document.description)
    if document.id is not None or dialect == "v2":
        yield _attribute("id", document.name if document.id is None else document.id)
    yield from _attributes(document.attributes)


def _resource(resource: Resource) -> Iterator[str]:
    yield f"{resource.kind} {{"
    yield INDENT + _attribute("id", resource.id)
    if resource.kind != LINK and resource.location is not None:
        yield INDENT + _attribute("location", resource.location)
    yield from (INDENT + line for line in _attributes(resource.attributes))
    yield from (INDENT + f"{name} {{{' '.join(_attributes(inner))}}}" for name, inner in resource.blocks)
    yield from (INDENT + _port(port) for port in resource.ports)
    yield "}"


def _port(port: Port) -> str:
    return f"port {{{' '.join(_attributes((('id', port.id), *port.attributes)))}}}"


def _pairs(adjacencies: Iterable[Adjacency]) -> Iterator[list[str]]:
    for _, ends in groupby(adjacencies, key=lambda end: end.link):
        yield [f"adjacency {end.node}.{end.port}, {end.link}.{end.link_port}" for end in ends]


def _attributes(attributes: Attributes) -> Iterator[str]:
    return (_attribute(name, value) for name, value in attributes)


def _attribute(name: str, value: Value) -> str:
    return f"{name}={_value(value)}"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return f'"{"".join(map(escaped, value))}"'
    return str(value).lower() if isinstance(value, bool) else f"{value!r}"


def escaped(character: str) -> str:
    """A character as it is between double quotes: ASCII, because no document states its encoding."""
    if character in ESCAPES:
        return ESCAPES[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
