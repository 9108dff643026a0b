"""Texts of GTS DSL documents: what is read, what is mended, and what is given up."""

from __future__ import annotations

import time

import pytest

from lab import dsl
from lab.dsl.reader import MAX_CHARACTERS, MAX_ITEMS
from lab.errors import DslError
from tests.unit.lab.dsl.documents import faults, pair


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: 'the end of the document': expected a name"]),
        ("Net", ["1:4: 'the end of the document': expected '{'"]),
        ("Net {}", ["1:1: 'Net': it has no hosts; expected at least one host block"]),
        ("Net { } }", ["1:9: '}': expected the end of the document"]),
        (
            'Net {\n host { id="a" location="AMS"\n host { id="b" location="AMS" }\n}',
            ["3:2: 'host': expected '}' before it"],
        ),
        ('Net { host { id="a" location="AMS" }', ["1:37: 'the end of the document': expected '}'"]),
        (
            'Net { host { id= location="AMS" } }',
            ["1:18: 'location': expected text in quotes or a number or true or false before it"],
        ),
        ('Net { host { id "a" location="AMS" } }', ["1:17: '\"a\"': expected '=' before it"]),
        ('Net { host  id="a" location="AMS" } }', ["1:13: 'id': expected '{' before it"]),
        (
            'Net { host { id=a location="AMS" } }',
            ["1:17: 'a': expected text in quotes"],
        ),
        (
            'Net {\n @@ what?\n host { id="a" location="AMS" } }',
            ["2:2: '@@ what?': expected an attribute, a resource, 'adjacency' or '}'"],
        ),
        (
            pair("adjacency a.p2 l1.src"),
            [
                "7:16: 'l1.src': expected ',' before it",
                "7:16: 'l1.src': port used twice, first at 5:17; expected one adjacency for each port",
            ],
        ),
        ('Net { host { id="a" location="AMS" port { id="p" port { } } } }', ["1:55: '{': expected '='"]),
        ('Net { host { id="a" location=5 } }', ["1:30: '5': location is no text; expected text in quotes"]),
        (
            'Net { host { id="a${i}" location="AMS" } }',
            ["1:19: '${i}': a Groovy variable; expected plain text"],
        ),
    ],
)
def test_what_is_wrong_is_said_once_and_where(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_a_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    assert faults("x" * 10_000_000) == [
        f"1:{MAX_CHARACTERS + 1}: '{'x' * 20}': expected at most 8,388,608 characters"
    ]


@pytest.mark.parametrize("part", ["a=1 ", "host {} "])
def test_a_text_of_too_many_parts_is_refused_before_it_is_read(part: str) -> None:
    text = "Net { " + part * (MAX_ITEMS + 1)

    assert faults(text[:MAX_CHARACTERS])[0].endswith(
        "expected at most 450,000 attributes, blocks and adjacencies in all"
    )


def test_a_deeply_nested_document_is_refused_without_a_deep_stack() -> None:
    assert faults("Net { host { " + "port { " * 100_000) == [
        "1:24: '{': expected '='".replace("1:24", "1:26")
    ]


def test_comments_and_a_byte_order_mark_are_read_over() -> None:
    text = "\ufeff/* a { */" + pair().replace("\n", " // }\r\n")

    assert len(dsl.parse(text).links) == 1


@pytest.mark.parametrize("name", ["host", "link", "vsi", "type", "adjacency", "true", "port"])
def test_a_document_may_be_called_like_a_word_of_the_language(name: str) -> None:
    for head in (name, f"type {name}"):
        assert dsl.parse(f'{head} {{ host {{ id="{name}" location="AMS" }} }}').name == name


@pytest.mark.parametrize(
    "number", ["0.30000000000000004", "1.2345678901234567e-05", "9007199254740993.5", "7" * 40]
)
def test_numbers_as_python_writes_them_are_read_again(number: str) -> None:
    """Sixteen digits were once written and not read."""
    text = dsl.export(dsl.parse(pair(f"version={number}"), source="net.dsl"))

    assert dsl.export(dsl.parse(text)) == text


@pytest.mark.parametrize("text", ["A {\n" + "/* " * 2_000_000, "A {\n" + "a=1\n" * 100_000 + "}"])
def test_a_text_that_took_long_is_refused_at_once(text: str) -> None:
    """An end was looked for at every `/*` anew: 60 kB took 14 s, and so did attributes without number."""
    began = time.process_time()
    with pytest.raises(DslError, match=r"comment without an end|at most 1,000 attributes in a block"):
        dsl.parse(text)
    assert time.process_time() - began < 2
