"""Groovy in a document: refused by construct and place, and taken for text in quotes and comments."""

from __future__ import annotations

import pytest

from lab import dsl
from tests.unit.lab.dsl.documents import faults, pair


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Net {\n for (i in 1..3) { host { } }\n}",
            ["2:2: 'for': a Groovy loop; expected every resource written out"],
        ),
        (
            "Net {\n (1..3).each { i -> host { } }\n}",
            ["2:9: 'each': a Groovy loop; expected every resource written out"],
        ),
        (
            "Net {\n 3.times { host { } }\n}",
            ["2:4: 'times': a Groovy loop; expected every resource written out"],
        ),
        ("Net {\n while (true) { }\n}", ["2:2: 'while': a Groovy loop; expected every resource written out"]),
        ("def n = 3\nNet { }", ["1:1: 'def': a Groovy variable; expected every resource written out"]),
        ("Net {\n if (x) { }\n}", ["2:2: 'if': a Groovy condition; expected every resource written out"]),
    ],
)
def test_groovy_is_refused_by_construct_and_place(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_words_of_groovy_inside_quotes_and_comments_are_text() -> None:
    text = pair('description="for (a) each { if (b) }" // while (true) {').replace(
        "Net", "/* def x = 1 */ Net"
    )

    assert dsl.parse(text).description == "for (a) each { if (b) }"
