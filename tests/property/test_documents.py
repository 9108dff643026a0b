"""Properties of reading: whatever the text, a topology or a place; however it is laid out, the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab import dsl
from lab.dsl import DIALECTS, sidecar
from lab.dsl.document import Document
from lab.dsl.write import write
from lab.topology.sites import SITES
from tests.property import properties
from tests.property.layouts import texts
from tests.property.strategies import OWN_SITES, documents

WORDS = (
    *(
        "type",
        "host",
        "link",
        "ofx",
        "vsi",
        "baremetalserver",
        "port",
        "controller",
        "adjacency",
        "id",
        "location",
    ),
    *(
        "=",
        "{",
        "}",
        ",",
        ".",
        '"',
        "'",
        "//",
        "/*",
        "*/",
        "\n",
        "\r\n",
        "\t",
        "$",
        "h1",
        "h2",
        "l1",
        "src",
        "dst",
    ),
    *(
        "port1",
        "AMS",
        "BRA",
        '"h1"',
        '"AMS"',
        "h1.port1",
        "l1.src",
        "1",
        "-2.5",
        "true",
        "for",
        "(",
        ")",
        "each",
    ),
    *("->", "\\", ";", "\ufeff", "é"),
)


def everything(document: Document) -> Any:
    """What a document says, without any order."""
    resources = {
        (
            r.kind,
            r.id,
            r.location,
            frozenset((p.id, frozenset(p.attributes)) for p in r.ports),
            frozenset(r.attributes),
        )
        for r in document.resources
    }
    ends = {(e.node, e.port, e.link, e.link_port) for e in document.adjacencies}
    return document.name, document.description, resources, ends, frozenset(document.attributes)


@given(documents())
def test_all_that_a_document_says_is_written_again(document: Document) -> None:
    for dialect in DIALECTS:
        text = write(document, dialect)
        topology = dsl.parse(text, sites=OWN_SITES)
        again = dsl.read(dsl.export(topology, dialect), locations=OWN_SITES)
        assert everything(again) == everything(dsl.read(text, locations=OWN_SITES))
        assert dsl.export(dsl.parse(dsl.export(topology, dialect), sites=OWN_SITES), dialect) == dsl.export(
            topology, dialect
        )
        assert dsl.parse(dsl.export(topology, dialect), sidecar=sidecar.extract(topology)) == topology


@given(st.data())
def test_spacing_order_line_ends_and_case_change_nothing(data: st.DataObject) -> None:
    document = data.draw(documents())
    plain = dsl.parse(write(document, "typed"), sites=OWN_SITES)
    for _ in range(2):
        text = data.draw(texts(document))
        assert dsl.parse(text, sites=OWN_SITES) == plain


@given(st.text(max_size=200))
def test_arbitrary_text(text: str) -> None:
    properties.topology_or_place(text)


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_arbitrary_words_of_the_language(text: str) -> None:
    properties.topology_or_place(text)
    properties.topology_or_place(f"x {{ {text} }}")


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    properties.topology_or_place(data.decode("utf-8", "surrogateescape"))


def _mutated(draw: Callable[[Any], Any], text: str) -> str:
    """One change: a piece cut out, doubled, moved, or something put in its place."""
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.integers(0, 30)))
    piece = draw(
        st.one_of(st.sampled_from(WORDS), st.text(max_size=3), st.just(text[start:end] * 2), st.just(""))
    )
    return text[:start] + piece + text[end:]


@given(st.data())
def test_one_mutation_of_a_valid_document(data: st.DataObject) -> None:
    document = data.draw(documents())
    text = write(document, data.draw(st.sampled_from(DIALECTS))).replace("NEW-YORK", "AMS")
    for _ in range(4):
        properties.topology_or_place(_mutated(data.draw, text))


@given(documents(), st.data())
def test_two_mutations_of_any_layout(document: Document, data: st.DataObject) -> None:
    text = data.draw(texts(document))
    properties.topology_or_place(_mutated(data.draw, _mutated(data.draw, text)))


def test_known_sites_are_read_in_any_case() -> None:
    for name in SITES:
        assert dsl.parse(f'x {{ host {{ id="a" location="{name.lower()}" }} }}').hosts[0].site == name
