"""Groovy constructs, which the lab refuses in a document: it reads documents, it runs no programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NO_CODE = re.compile(
    r""""(?:[^"\\\n\r]++|\\[^\n\r])*+"|'(?:[^'\\\n\r]++|\\[^\n\r])*+'|//[^\n]*|/\*[\s\S]*?\*/"""
)
_CONSTRUCTS = (
    (re.compile(r"\b(for|while)\s*\("), "loop"),
    (re.compile(r"(?<=[\w)\]])\s*\.\s*(each|eachWithIndex|times|upto|downto|step|collect)\b\s*[({]"), "loop"),
    (re.compile(r"\b(if|switch)\s*\("), "condition"),
    (re.compile(r"\b(def|final|int|String)\s+[A-Za-z_]\w*\s*="), "variable"),
    (re.compile(r"\b(import|class|interface)\s+[A-Za-z_]"), "declaration"),
)


class Construct(NamedTuple):
    """A piece of Groovy: the word that makes it one, where it stands, and what it is."""

    word: str
    kind: str
    at: int


def constructs(text: str) -> Iterator[Construct]:
    """Every piece of Groovy in a text, outside quotes and comments."""
    code = _NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for pattern, kind in _CONSTRUCTS:
        for found in pattern.finditer(code):
            yield Construct(found[1], kind, found.start(1))
