"""The grammar of the GTS DSL, both dialects, and what its words are called in messages.

Blocks nest to a fixed depth (document, resource, part), and what repeats is matched
possessively, so that no text can make the parser's stack or the matcher's memory grow. A comment
without an end takes all that follows: to look for its end at every `/*` anew would take time with the
square of the text.
Between words any white space will do; `//` and `/* */` comments are read over, since the
language is Groovy's, but never written.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, v_args

GRAMMAR = r"""
start: TYPE? (NAME | KIND) "{" (attribute | adjacency | resource)* "}"
resource: (KIND | NAME) "{" (attribute | part)* "}"
part: NAME "{" attribute* "}"
attribute: NAME "=" (TEXT | NUMBER | TRUTH)
adjacency: ADJACENCY PORT "," PORT

TYPE.2: /type\b(?!\s*[{=])/
KIND.2: /(?:host|link|ofx|vsi|baremetalserver)\b(?=\s*\{)/
ADJACENCY.2: /adjacency\b(?!\s*[{=])/
TRUTH.2: /(?:true|false)\b/
NAME: /(?!(?:host|link|ofx|vsi|baremetalserver)\s*\{)(?!adjacency\b(?!\s*[{=]))[A-Za-z_$][A-Za-z0-9_$]*/
PORT.1: /[A-Za-z0-9_$-]{1,200}+[ \t]{0,9}+\.[ \t]{0,9}+[A-Za-z0-9_$-]{1,200}+/
TEXT: /"(?:[^"\\\n\r]++|\\[^\n\r])*+"|'(?:[^'\\\n\r]++|\\[^\n\r])*+'/
NUMBER: /-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?/
BLANK: /[\s;\ufeff]+/
COMMENT: /\/\/[^\n]*|\/\*(?:[\s\S]*?\*\/|[\s\S]*+)/
%ignore BLANK
%ignore COMMENT
"""

TOKEN_NAMES = {
    "TYPE": "'type'",
    "KIND": "a resource",
    "NAME": "a name",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "EQUAL": "'='",
    "COMMA": "','",
    "TEXT": "text in quotes",
    "NUMBER": "a number",
    "TRUTH": "true or false",
    "ADJACENCY": "'adjacency'",
    "PORT": "a port such as h1.port1",
    "$END": "the end of the document",
}


class RawAttribute(NamedTuple):
    """`value` is a `Token` where it is text that has still to be decoded, and None where it is missing.

    The rest are offsets.
    """

    name: str
    value: Any
    at: int
    value_at: int


class RawPart(NamedTuple):
    """A block inside a resource."""

    name: str
    attributes: list[RawAttribute]
    at: int


class RawResource(NamedTuple):
    """A block inside the document."""

    kind: str
    attributes: list[RawAttribute]
    parts: list[RawPart]
    at: int


class RawAdjacency(NamedTuple):
    """Two ports as written, and where."""

    a: str
    b: str
    a_at: int
    b_at: int


class RawDocument(NamedTuple):
    """A document as read, before any of it is looked at."""

    name: str
    attributes: list[RawAttribute]
    resources: list[RawResource]
    adjacencies: list[RawAdjacency]
    at: int


def _of(kind: type, items: Any) -> list[Any]:
    return [item for item in items if isinstance(item, kind)]


@v_args(inline=True)
class _Compact(Transformer[Token, RawDocument]):
    """Turns each rule into a small tuple as soon as it is read: tokens are large."""

    def start(self, *items: Any) -> RawDocument:
        name = next(item for item in items if isinstance(item, Token) and item.type != "TYPE")
        attributes, resources = _of(RawAttribute, items), _of(RawResource, items)
        return RawDocument(str(name), attributes, resources, _of(RawAdjacency, items), _at(name))

    def resource(self, kind: Token, *items: Any) -> RawResource:
        return RawResource(sys.intern(str(kind)), _of(RawAttribute, items), _of(RawPart, items), _at(kind))

    def part(self, name: Token, *attributes: RawAttribute) -> RawPart:
        return RawPart(sys.intern(str(name)), list(attributes), _at(name))

    def attribute(self, name: Token, value: Token) -> RawAttribute:
        return RawAttribute(
            sys.intern(str(name)), _value(value), _at(name), _at(value) + (value.type == "TEXT")
        )

    def adjacency(self, _: Token, a: Token, b: Token) -> RawAdjacency:
        return RawAdjacency(str(a), str(b), _at(a), _at(b))


def _at(token: Token) -> int:
    return token.start_pos or 0


def _value(token: Token) -> Any:
    if token.start_pos is None:
        return None
    if token.type == "NUMBER":
        return int(token) if token.lstrip("-").isdecimal() else float(token)
    if token.type == "TRUTH":
        return token == "true"
    return token if "\\" in token or "$" in token else str(token[1:-1])


@cache
def parser() -> Lark:
    """The parser; making it takes some milliseconds, so it is made once, when first used."""
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Compact(), maybe_placeholders=False)
