"""Topologies from files by what their names end in, and documents with their side files."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from lab import catalog, dsl
from lab.errors import DslError, TopologyError
from lab.formats import files
from lab.topology import Topology
from lab.util import documents
from tests.unit.lab.formats.graphs import written


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.gml", ""),
        ("x.gml", "graph ["),
        ("x.gml", "graph [ node [ id 0 ] node [ id 0 ] ]"),
        ("x.gml", "graph [ edge [ source 0 target 1 ] ]"),
        ("x.gml", "\x00"),
        ("x.graphml", ""),
        ("x.graphml", "<a/>"),
        ("x.graphml", "<graphml><graph><node/></graph></graphml>"),
        ("x.graphml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><graphml>&a;</graphml>'),
        ("x.gml", "graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] ]"),
    ],
)
def test_what_is_no_graph_is_refused_with_a_sentence(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(TopologyError):
        catalog.topology(written(tmp_path, name, text))


def test_a_document_is_read_with_its_side_file(tmp_path: Path) -> None:
    chain = catalog.topology("linear")
    file = written(tmp_path, "chain.dsl", dsl.export(chain))
    alone = catalog.topology(file)
    written(tmp_path, "chain.lab.yaml", files.sidecar_text(chain, "chain.dsl"))

    assert [host.name for host in alone.hosts] == [f"host{letter}" for letter in "ABCDEF"]
    assert catalog.topology(file) == chain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lab: 2", "chain.lab.yaml:1: lab: input should be 1"),
        ("lab: 1\nhosts: {hostA: {nam: x}}", "chain.lab.yaml:2: hosts.hostA.nam: not known here"),
        ("lab: 1\nhosts: {hostZ: {name: x}}", "names hostZ, which its document does not have"),
        ("lab: 1\nhosts: {hostA: {name: x}, hostB: {name: x}}", "gives one name to two hosts: x"),
        ("lab: 1\nlinks: {AtoB: {rtt: 1, jitter: 3}}", "jitter 3 ms is more than"),
        ("lab: [", "chain.lab.yaml:2:1: did not find expected node content"),
    ],
)
def test_a_side_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, "chain.dsl", dsl.export(catalog.topology("linear")))
    written(tmp_path, "chain.lab.yaml", text)

    with pytest.raises(DslError) as caught:
        catalog.topology(file)
    assert said in str(caught.value)


def test_an_edited_document_keeps_what_its_side_file_says_of_the_rest(tmp_path: Path) -> None:
    chain = catalog.topology("linear")
    added = 'host { id="hostG" location="PAR" port { id="p" } port { id="q" } }\n'
    file = written(tmp_path, "chain.dsl", dsl.export(chain).replace("    link {", added + "    link {", 1))
    written(tmp_path, "chain.lab.yaml", files.sidecar_text(chain, "chain.dsl"))

    topology = catalog.topology(file)

    assert topology.hosts[:6] == chain.hosts
    assert (topology.hosts[6].name, topology.hosts[6].number) == ("hostG", 7)


def test_a_document_may_be_called_anything(tmp_path: Path) -> None:
    file = written(tmp_path, "testbed.gts", dsl.export(catalog.topology("star")))

    assert len(catalog.topology(file).hosts) == 4


def test_sites_of_ones_own_help_with_every_form(tmp_path: Path) -> None:
    place = {"OSL": (59.91, 10.75)}
    for name, text in (
        ("x.dsl", 'x { host { id="a" location="osl" } }'),
        ("x.yaml", "name: x\nhosts: {a: OSL}"),
        ("x.json", '{"nodes": [{"id": "a", "site": "OSL"}], "edges": []}'),
    ):
        file = written(tmp_path, name, text)
        with pytest.raises((TopologyError, DslError)):
            catalog.topology(file)
        assert catalog.topology(file, places=place).hosts[0].site == "OSL"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bytes.dsl").write_bytes(b"x { \xff }")
    cases = {
        "gone.dsl": "cannot be read: No such file or directory",
        "bytes.dsl": "is not UTF-8 text: byte 4 is 0xff",
        "odd.txt": "the ending of the name is not known",
        "x.lab.yaml": "is the side file of a document; name the .dsl file beside it",
    }
    written(tmp_path, "odd.txt", "hello")
    written(tmp_path, "x.lab.yaml", "lab: 1")
    for name, said in cases.items():
        with pytest.raises(TopologyError, match=said):
            catalog.topology(tmp_path / name)
    with pytest.raises(TopologyError, match="cannot be read: Is a directory"):
        catalog.topology(f"{tmp_path}/.")


def test_no_more_is_read_than_a_topology_can_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A device has no size; reading it whole would take all memory."""
    monkeypatch.setattr(files, "TOPOLOGY", documents.Bounds("topology", size=1 << 20))
    for file in (Path("/dev/zero"), written(tmp_path, "large.dsl", "x" * (1 << 20) + "x")):
        with pytest.raises(TopologyError, match="has more than 1 MiB; that is no topology"):
            catalog.topology(file)


def test_topologies_of_our_own_graphml_attributes_are_ours(tmp_path: Path) -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")
    graph.add_node("b", site="PRG")
    graph.add_edge("a", "b", rtt=5.0)
    nx.write_graphml(graph, tmp_path / "ours.graphml")

    assert catalog.topology(tmp_path / "ours.graphml") == Topology(graph, name="ours")
