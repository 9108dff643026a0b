"""Groovy constructs, which the lab refuses in a document: it reads documents, it runs no programs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

_NO_CODE = re.compile(
    r""""(?:[^"\\\n\r]++|\\[^\n\r])*+"|'(?:[^'\\\n\r]++|\\[^\n\r])*+'|//[^\n]*|/\*(?:[\s\S]*?\*/|[\s\S]*+)"""
)
_CONSTRUCTS = (
    (re.compile(r"\b(for|while)\s*\("), "loop"),
    (re.compile(r"(?<=[\w)\]])\s*\.\s*(each|eachWithIndex|times|upto|downto|step|collect)\b\s*[({]"), "loop"),
    (re.compile(r"\b(if|switch)\s*\("), "condition"),
    (re.compile(r"\b(def|final|int|String)\s+[A-Za-z_]\w*\s*="), "variable"),
    (re.compile(r"\b(import|class|interface)\s+[A-Za-z_]"), "declaration"),
)


class Construct(NamedTuple):
    """A piece of Groovy: its keyword, its place, and its kind."""

    word: str
    kind: str
    at: int


def code_alone(text: str) -> str:
    """Return a text of the same length with blanks instead of quotes and comments."""
    return _NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def endless_comment(text: str) -> int | None:
    """Return the offset of a `/*` that nothing ends; None when there is none."""
    if text.rfind("/*") + 1 <= text.rfind("*/"):
        return None
    ends = deque(_NO_CODE.finditer(text), maxlen=1)
    for last in ends:
        if last[0].startswith("/*") and (len(last[0]) < 4 or not last[0].endswith("*/")):
            return last.start()
    return None


def constructs(text: str) -> Iterator[Construct]:
    """Every piece of Groovy in a text, outside quotes and comments."""
    code = code_alone(text)
    for pattern, kind in _CONSTRUCTS:
        for found in pattern.finditer(code):
            yield Construct(found[1], kind, found.start(1))
