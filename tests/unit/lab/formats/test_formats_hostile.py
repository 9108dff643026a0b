"""Documents that ended in a traceback once, as small as can be, with the sentence that each gets now."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.errors import DslError, LabError, TopologyError
from lab.formats import files, lab_yaml
from lab.topology import Topology
from lab.util import documents

DIGITS = "9" * 400
HOSTS = "name: x\nhosts: {a: AMS, b: PRG}\n"
GML = 'graph [ node [ id 0 label "a" Latitude {lat} Longitude 1 ] ]'


def two(graph: Any = None, node: Any = None, edge: Any = None) -> str:
    """Return node-link JSON of two hosts and a link, with more about each."""
    nodes = [{"id": "a", "site": "AMS", **(node or {})}, {"id": "b", "site": "PRG"}]
    edges = [{"source": "a", "target": "b", **(edge or {})}]
    return json.dumps({"graph": graph or {}, "nodes": nodes, "edges": edges})


def numbered(words: str) -> str:
    """Return JSON in which `"DIGITS"` is a number of 400 digits."""
    return words.replace('"DIGITS"', DIGITS)


CASES = {
    "a date as a key": ("x.yaml", HOSTS + "2001-01-01: 1\n", "2001-01-01: not known here"),
    "bytes as a key": ("x.yaml", HOSTS + "!!binary aGk=: 1\n", "x.yaml:3:1: a tag"),
    "!!bool": ("x.yaml", "name: !!bool x\n", "x.yaml:1:7: a tag"),
    "!!int": ("x.yaml", "name: !!int ''\n", "x.yaml:1:7: a tag"),
    "!!float": ("x.yaml", "name: !!float ''\n", "x.yaml:1:7: a tag"),
    "!!timestamp": ("x.yaml", "name: !!timestamp x\n", "x.yaml:1:7: a tag"),
    "a bare tag": ("x.yaml", "name: ! x\n", "a tag"),
    "a number of no digits": ("x.yaml", "name: 0x_\n", "x.yaml:1:7: '0x_' is no value"),
    "five thousand digits": ("x.yaml", f"name: {'9' * 5000}\n", "is no value"),
    "a list as a key": ("x.yaml", "? [a]\n: 1\n", "x.yaml:1:3: a key that is no text"),
    "a huge round trip": ("x.json", numbered(two(edge={"rtt": "DIGITS"})), "is not a number"),
    "a huge order": ("x.json", numbered(two(node={"order": "DIGITS"})), "is not a number"),
    "a huge place": (
        "x.json",
        numbered(two({"sites": {"X": ["DIGITS", 1]}})),
        "its place must be latitude",
    ),
    "a huge latitude, JSON": (
        "x.json",
        numbered('{"nodes": [{"id": 1, "Latitude": "DIGITS", "Longitude": 1}], "edges": []}'),
        "no node has Latitude",
    ),
    "a huge latitude, GML": ("x.gml", GML.format(lat=DIGITS), "no node has Latitude"),
    "a node's self": ("x.json", two(node={"self": 1}), "unknown attribute 'self'"),
    "an edge's u_of_edge": ("x.json", two(edge={"u_of_edge": 1}), "unknown attribute 'u_of_edge'"),
    "blocks of numbers": ("x.json", two(node={"gts": {"blocks": [5]}}), "is not what the lab writes"),
    "blocks of mappings": (
        "x.json",
        two(node={"gts": {"blocks": [{"a": 1, "b": 2}]}}),
        "is not what the lab writes",
    ),
    "three ends": ("x.json", two(edge={"gts": {"ends": ["a", "b", "c"]}}), "is not what the lab writes"),
    "a place of nothing": (
        "x.json",
        two(
            edge={"place": dict.fromkeys(("subnet", "address_a", "address_b", "interface_a", "interface_b"))}
        ),
        "place .* is not what the lab writes",
    ),
    "a number beyond the addresses": (
        "x.json",
        two(edge={"number": 1_000_000_000}),
        "number 1000000000 is not a whole number from 1 to 1048576",
    ),
    "a schedule of a list": (
        "x.json",
        two({"schedule": [{"at": 0, "link": [1], "loss": 1}]}),
        r"unknown link \[1\]",
    ),
    "a number as the name": ("x.json", two({"name": 1.5}), "its name 1.5 is not text"),
    "a mapping as the name": ("x.json", two({"name": {}}), "its name {} is not text"),
    "half of a surrogate pair": ("x.json", two({"name": "\ud800"}), "is not text"),
    "half of a pair as an id": ("x.json", two(node={"gts": {"id": "\ud800"}}), "is not what the lab writes"),
    "an option as the image": ("x.json", two(node={"image": "--privileged"}), "is not the name of an image"),
    "an escape as a link's name": (
        "x.json",
        two(edge={"name": "\x1b]0;x\x07"}),
        "is not text without blanks",
    ),
    "parts, perhaps": ("x.json", two({"separate_parts": 5}), "neither true nor false"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_document_that_gave_a_traceback_gives_a_sentence_now(tmp_path: Path, case: str) -> None:
    name, text, said = CASES[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(LabError, match=said) as caught:
        catalog.topology(tmp_path / name)
    assert not isinstance(caught.value.__cause__, documents.Unforeseen)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("key", ["name", "number"])
def test_a_side_file_without_a_value_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "x.dsl").write_text('x { host { id="a" location="AMS" } }')
    (tmp_path / "x.lab.yaml").write_text(f"lab: 1\nhosts: {{a: {{{key}: null}}}}\n")
    with pytest.raises(DslError, match=rf"x.lab.yaml:2:13: hosts.a.{key}: input should be a valid"):
        catalog.topology(tmp_path / "x.dsl")


def traced(tmp_path: Path, trace: str) -> Topology:
    """Read a topology that names this trace."""
    schedule = json.dumps([{"link": "a-b", "trace": trace}])
    (tmp_path / "x.yaml").write_text(f"{HOSTS}links: [{{between: [a, b]}}]\nschedule: {schedule}\n")
    return catalog.topology(tmp_path / "x.yaml")


def test_a_trace_may_lie_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces/t.csv").write_text("time,delay\n0,1,\n2,3\n")  # a comma at the end changes nothing
    assert [change.values for change in traced(tmp_path, "traces/t.csv").schedule] == [
        (("delay", 1.0),),
        (("delay", 3.0),),
    ]


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("", "Is a directory"),
        (".", "Is a directory"),
        ("../t.csv", "leads out of"),
        ("link.csv", "leads out of"),
        ("/dev/zero", "no regular file"),
        ("pipe", "no regular file"),
        ("a\0b", "cannot be read"),
        ("x" * 300, "File name too long"),
        ("wide.csv", "wide.csv:2: field larger than field limit"),
        ("long.csv", "has more than 4 MiB"),
        ("latin.csv", "latin.csv:2: it is not UTF-8 text"),
        ("more.csv", "more.csv:2: it has more fields than columns"),
        ("headless.csv", "a trace has the columns"),
    ],
)
def test_a_trace_that_is_none_is_refused_by_name(tmp_path: Path, trace: str, said: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "t.csv").write_text("time,delay\n0,1\n")
    (folder / "link.csv").symlink_to("../t.csv")
    os.mkfifo(folder / "pipe")
    (folder / "wide.csv").write_text(f"time,delay\n0,{'1' * 200_000}\n")
    (folder / "long.csv").write_text("time,delay\n" + "0,1\n" * (1 << 20))
    (folder / "latin.csv").write_bytes(b"time,delay\n0,\xe9\n")
    (folder / "more.csv").write_text("time,delay\n0,1,2\n")
    (folder / "headless.csv").write_text(",,\n1,2\n")
    with pytest.raises(TopologyError, match=said):
        traced(folder, trace)


def test_a_name_too_long_for_a_file_is_no_topology() -> None:
    with pytest.raises(LabError, match="unknown topology"):
        catalog.topology("x" * 300)
    with pytest.raises(LabError, match="cannot be read"):
        catalog.topology("x" * 300 + ".yaml")


def test_a_pipe_that_the_user_named_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'x { host { id="a" location="AMS" } }')
    os.close(writing)
    try:
        assert catalog.topology(f"/dev/fd/{reading}").name == "x"
    finally:
        os.close(reading)
    os.mkfifo(tmp_path / "nobody.yaml")  # nobody writes into it, and nobody waits
    with pytest.raises(TopologyError):
        files.read(tmp_path / "nobody.yaml")


def test_a_topology_of_any_reader_can_be_written_drawn_and_compared(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(two({"name": "x\u2028\x1b[31m", "description": "\x07"}))
    topology = catalog.topology(tmp_path / "x.json")
    assert lab_yaml.read(lab_yaml.write(topology), "x").name == topology.name
    assert hash(topology)
