"""The many ways in which one document can be laid out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from lab.dsl.document import Adjacency, Document, Resource, Value
from lab.dsl.write import escaped

SPACES = st.sampled_from([" ", "\n", "\r\n", "\t", "  ", "\n\n\t ", " // a comment }\n", " /* { \n */ "])


@st.composite
def texts(draw: Callable[[Any], Any], document: Document) -> str:
    """A text of this document: any order, spacing, quotes, line ends and case of sites."""
    gap = draw(SPACES)
    head = draw(st.sampled_from(["", "type "])) + document.name
    about = [_pair(draw, "description", document.description)]
    about += [] if document.id is None else [_pair(draw, "id", document.id)]
    about += [_pair(draw, *pair) for pair in document.attributes]
    blocks = [_block(draw, resource, gap) for resource in document.resources]
    meetings = [_meeting(draw, end) for end in document.adjacencies]
    items = draw(st.permutations([*about, *blocks, *meetings]))
    brace = draw(st.sampled_from([" {", "{", "  {", "\n{"]))
    before, after = draw(st.sampled_from(["", " ", "\n"])), draw(st.sampled_from(["", gap]))
    return f"{before}{head}{brace}{gap}{gap.join(items)}{gap}}}{after}"


def _meeting(draw: Callable[[Any], Any], end: Adjacency) -> str:
    sides = draw(st.permutations([f"{end.node}.{end.port}", f"{end.link}.{end.link_port}"]))
    return "adjacency " + draw(st.sampled_from([", ", ",", " , ", ",\n"])).join(sides)


def _block(draw: Callable[[Any], Any], resource: Resource, gap: str) -> str:
    words = [_pair(draw, "id", resource.id)]
    if resource.location is not None:
        words.append(
            _pair(draw, "location", draw(st.sampled_from([resource.location, resource.location.lower()])))
        )
    words += [_pair(draw, *pair) for pair in resource.attributes]
    for port in resource.ports:
        inner = draw(
            st.permutations([_pair(draw, "id", port.id), *(_pair(draw, *p) for p in port.attributes)])
        )
        words.append(f"port{draw(st.sampled_from(['', ' ', chr(9)]))}{{{' '.join(inner)}}}")
    words += [
        f"{name} {{ {' '.join(_pair(draw, *pair) for pair in inner)} }}" for name, inner in resource.blocks
    ]
    return f"{resource.kind} {{{gap}{gap.join(draw(st.permutations(words)))}{gap}}}"


def _pair(draw: Callable[[Any], Any], name: str, value: Value) -> str:
    equals = draw(st.sampled_from(["=", " = ", "= ", " ="]))
    if not isinstance(value, str):
        return f"{name}{equals}{str(value).lower()}"
    plain = "".join(map(escaped, value))
    if draw(st.booleans()):
        return f'{name}{equals}"{plain}"'
    return f"{name}{equals}'{plain.replace(chr(39), chr(92) + chr(39))}'"
