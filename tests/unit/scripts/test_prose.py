"""The prose linter: each rule fails on its bad sentence, and our texts pass."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from scripts import prose

RULES = tomllib.loads(prose.STYLE.read_text())["rule"]
PAGE = """# What it *costs*

A paragraph with `code` and
a [link](elsewhere.md).

```sh
circuit segment nobody
```

- an item
- one more

| head | other |
|---|---|
| a cell | 2 |
"""


@pytest.fixture(scope="module")
def style() -> prose.Style:
    return prose.Style()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
def test_a_rule_finds_its_bad_sentence_and_not_its_good_one(rule: dict[str, Any], style: prose.Style) -> None:
    kind = rule.get("in", ["paragraph"])[0]
    assert any(rule["name"] in one for one in style.broken(kind, rule["bad"]))
    assert list(style.broken(kind, rule["good"])) == []


@pytest.mark.parametrize(
    ("kind", "sentence", "words"),
    [
        ("cell", "word " * 36, "sentence of 36 words"),
        ("paragraph", f"One ({'word ' * 16}).", "parenthesis of 16 words"),
        ("item", "One; two; three.", "2 semicolons"),
    ],
)
def test_a_sentence_that_is_too_long_is_found(
    style: prose.Style, kind: str, sentence: str, words: str
) -> None:
    assert [one for one in style.broken(kind, sentence) if words in one]


def test_a_page_is_read_without_its_code() -> None:
    assert list(prose.texts_of_page(PAGE)) == [
        ("heading", 1, "What it costs"),
        ("paragraph", 3, "A paragraph with `x` and a link."),
        ("item", 10, "an item"),
        ("item", 11, "one more"),
        ("cell", 13, "head"),
        ("cell", 13, "other"),
        ("cell", 15, "a cell"),
        ("cell", 15, "2"),
    ]


def test_docstrings_and_messages_are_read_and_short_strings_and_shell_scripts_are_not() -> None:
    code = '''
def name(x):
    """Return the first line.

    Not this one.
    """
    raise LabError(f"host {x} has no free address")
    run("ip", "a b", "for x in $(ls); do echo one two three; done")
'''
    assert list(prose.texts_of_code(code)) == [
        ("docstring", 3, "Return the first line."),
        ("string", 7, "host X has no free address"),
    ]


def test_sentences_end_at_a_full_stop_and_not_at_an_abbreviation() -> None:
    assert prose.sentences("One, e.g. Two. Three is `x`. `y` is four.") == [
        "One, e.g. Two.",
        "Three is `x`.",
        "`y` is four.",
    ]


def test_our_texts_keep_the_style(style: prose.Style) -> None:
    found = [str(one) for one in prose.findings(prose.files_of_the_project(), style)]
    assert found == [], "python -m scripts.prose lists them; scripts/prose.toml has the rules"
