"""Reading GTS DSL documents: what is taken, what is refused, and where each fault is said to be."""

from __future__ import annotations

from collections import Counter

import pytest

from lab import dsl
from lab.dsl import adjacencies, to_topology
from lab.dsl.reader import MAX_CHARACTERS, MAX_ITEMS
from lab.errors import DslError
from tests.paths import FIXTURES

FIXTURES = FIXTURES / "dsl"
HOST = 'host {{ id="{}" location="AMS" port {{ id="p1" }} port {{ id="p2" }} }}'
LINK = 'link {{ id="{}" port {{ id="src" }} port {{ id="dst" }} }}'


def faults(text: str) -> list[str]:
    with pytest.raises(DslError) as caught:
        dsl.parse(text, source="net.dsl")
    return [str(fault) for fault in caught.value.faults]


def pair(more: str = "") -> str:
    """A document of two hosts with a link between them."""
    ends = "adjacency a.p1, l1.src\nadjacency b.p1, l1.dst"
    return f"Net {{\n{HOST.format('a')}\n{HOST.format('b')}\n{LINK.format('l1')}\n{ends}\n{more}\n}}"


def test_every_kind_of_resource_is_taken_and_kept() -> None:
    topology = dsl.parse((FIXTURES / "switches.dsl").read_text())

    assert {host.name: host.kind for host in topology.hosts} == {
        "bare-1": "baremetalserver",
        "controller": "host",
        "ofxAMS": "ofx",
        "vsi_PRG": "vsi",
    }
    assert topology.host("controller").site == "AMS"
    assert topology.link("ofxAMS", "vsi_PRG").rate == 500
    text = dsl.export(topology, "typed")
    for said in (
        'mode="CONTROL"',
        'ipv4="10.0.0.1" port="6633"',
        "logicalPort=2",
        'image="debian.iso"',
        "lineRate=10",
    ):
        assert said in text
    for said in (
        'switchMode="hard"',
        'fabricIPv4="10.10.10.1"',
        "cpuSpeed=2",
        "bandwidth=500",
        '{id="in"}',
        "eth2",
    ):
        assert said in text
    assert dsl.parse(text) == topology


def test_all_faults_of_a_document_are_told_at_once() -> None:
    text = (FIXTURES / "full_of_faults.dsl").read_text()

    assert faults(text) == (FIXTURES / "full_of_faults.txt").read_text().splitlines()


def test_the_error_names_file_line_column_text_and_what_was_expected() -> None:
    with pytest.raises(DslError) as caught:
        dsl.parse('N { host { id="a" location="AMZ" } }', source="net.dsl")

    fault = caught.value.faults[0]
    assert (fault.line, fault.column, fault.text) == (1, 29, "AMZ")
    assert str(caught.value) == f"net.dsl:1:29: 'AMZ': {fault.what}"
    assert fault.what == "unknown location; expected 'AMS'? (--site AMZ=LAT,LON adds it)"


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


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (LINK.format("l2"), "7:12: 'l2': the link has no end; expected an adjacency for src and dst"),
        (
            LINK.format("l2") + "\nadjacency a.p2, l2.src",
            "7:12: 'l2': the link has one end; expected an adjacency for dst",
        ),
        (
            LINK.format("l2") + "\nadjacency a.p2, l2.src\nadjacency b.p2, l2.dst",
            "7:12: 'l2': a second link between a and b, beside 'l1'; expected one",
        ),
        (
            HOST.format("c") + LINK.format("l2") + "\nadjacency c.p1, l2.src\nadjacency c.p2, l2.dst",
            "7:76: 'l2': the link joins 'c' to itself; expected two ends that differ",
        ),
    ],
)
def test_links_that_join_nothing_new(more: str, expected: str) -> None:
    assert faults(pair(more)) == [expected]


def test_ports_without_a_link_are_legal_and_kept() -> None:
    topology = dsl.parse(pair())

    assert dsl.export(topology).count('port {id="p2"}') == 2


def test_a_further_site_can_be_given() -> None:
    text = pair().replace("AMS", "osl")

    with pytest.raises(DslError, match="unknown location"):
        dsl.parse(text)
    assert dsl.parse(text, sites={"OSL": (59.91, 10.75)}).hosts[0].site == "OSL"


def test_hosts_and_links_are_numbered_by_their_ids_whatever_their_order() -> None:
    hosts = [HOST.format(name) for name in ("h10", "h2", "h1")]
    text = f"Net {{ {' '.join(hosts)} }}"

    assert [host.name for host in dsl.parse(text).hosts] == ["h1", "h2", "h10"]


def test_an_id_that_no_host_can_have_as_a_name_is_kept_apart_from_it() -> None:
    hosts = (f'host {{ id="{name}" location="AMS" }}' for name in ("$1st", "9", "st"))
    text = f"Net {{ {' '.join(hosts)} }}"

    topology = dsl.parse(text)

    assert [host.name for host in topology.hosts] == ["host", "st-2", "st"]
    assert r'id="\$1st"' in dsl.export(topology)


def test_a_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    assert faults("x" * 10_000_000) == [
        f"1:{MAX_CHARACTERS + 1}: '{'x' * 20}': expected at most 8,388,608 characters"
    ]


@pytest.mark.parametrize("part", ["a=1 ", "host {} "])
def test_a_text_of_too_many_parts_is_refused_before_it_is_read(part: str) -> None:
    text = "Net { " + part * (MAX_ITEMS + 1)

    assert faults(text[:MAX_CHARACTERS])[0].endswith(
        "expected at most 600,000 attributes, blocks and adjacencies in all"
    )


def test_a_deeply_nested_document_is_refused_without_a_deep_stack() -> None:
    assert faults("Net { host { " + "port { " * 100_000) == [
        "1:24: '{': expected '='".replace("1:24", "1:26")
    ]


def test_many_faults_are_cut_short() -> None:
    found = faults("Net { " + 'host { location="AMZ" } ' * 5000 + "}")

    assert len(found) == 200


def test_nothing_is_looked_for_beyond_the_faults_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest name was looked for tens of thousands of times, for faults that nobody was told."""
    asked = Counter[str]()
    monkeypatch.setattr(adjacencies, "expected", lambda *_: asked.update("x") or "expected another")
    hosts = "".join(f'host {{ id="host{n}" location="AMS" }}' for n in range(1000))
    found = faults(f"Net {{ {hosts} {''.join(f'adjacency h{n}.p, l{n}.src ' for n in range(1000))} }}")

    assert len(found) == asked.total() == 200


def test_a_fault_does_not_repeat_a_long_text() -> None:
    for text in ("Q" * 1_000_000, "1" * 1_000_000):
        for document in (
            f'Net {{ host {{ id="a" location="{text}" }} }}',
            f'Net {{ host {{ id="{text}" location="AMS" }} }}',
            f'N{text} {{ host {{ id="a" location="AMS" }} }}',
        ):
            (said,) = faults(document)
            assert len(said) < 300


def test_names_for_many_hosts_are_made_in_one_pass() -> None:
    """Each name was once sought from the first number on, for minutes in a document of numbers."""
    ids = [str(n) for n in range(1, 301)]
    looks = Counter[str]()

    class Taken(set[str]):
        def __contains__(self, name: object) -> bool:
            looks.update(["look"])
            return super().__contains__(name)

    taken, made = Taken(), Counter[str]()
    for each in ids:
        taken.add(to_topology._free(each, taken, made))

    assert taken == {"host", *(f"host-{n}" for n in range(2, 301))}
    assert looks["look"] == 300


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


def test_a_number_that_is_infinite_is_refused() -> None:
    assert faults(pair("version=1e999")) == ["7:9: 'version': a number beyond all; expected a smaller one"]
