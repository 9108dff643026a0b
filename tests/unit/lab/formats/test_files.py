"""Topologies from files: our YAML, node-link JSON, GraphML and GML of others, GTS DSL with its side file."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest
from jsonschema import Draft202012Validator

from lab import catalog, dsl, plugins
from lab.errors import DslError, TopologyError
from lab.events import Event, Note
from lab.formats import files, lab_yaml, models, node_link, yaml_loader
from lab.topology import Topology
from tests.paths import ROOT

YAML = """\
name: three
description: two sites of the testbed and one more
sites:
  OSL: [59.91, 10.75]
hosts:
  a: AMS
  b: {site: bra, cpus: 2, image: debian:12}
  c: OSL
links:
  - {between: [a, b]}
  - {between: [b, c], rtt: 20, rate: 100, jitter: 0.5, loss: 0.1, mtu: 1400, name: north}
"""
NODE = 'node [ id {} label "{}" Latitude {} Longitude {} Internal 1 ]'


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def gml(*, nodes: list[tuple[str, str, float, float]], edges: list[str], more: str = "") -> str:
    """A graph as the Topology Zoo writes them."""
    lines = [NODE.format(*node) for node in nodes] + [f"edge [ {edge} ]" for edge in edges]
    return f'graph [ Network "Small" {more}\n' + "\n".join(lines) + "\n]\n"


OSLO, PARIS, ROME = (
    ("0", "Oslo", 59.91, 10.75),
    ("1", "Paris", 48.86, 2.35),
    ("2", "São Paulo", -23.55, -46.63),
)
SMALL = gml(
    nodes=[OSLO, PARIS, ROME],
    edges=["source 0 target 1 LinkSpeedRaw 2500000000.0", 'source 1 target 2 LinkLabel "slow"'],
)


# ------------------------------------------------------------------ our own YAML


def test_our_yaml_says_all_that_a_topology_is(tmp_path: Path) -> None:
    topology = catalog.topology(written(tmp_path, "three.yaml", YAML))

    assert [(h.name, h.site, h.cpus, h.image) for h in topology.hosts] == [
        ("a", "AMS", None, None),
        ("b", "BRA", 2.0, "debian:12"),
        ("c", "OSL", None, None),
    ]
    first, second = topology.links
    assert (first.rtt, first.rate) == (17.7, None)
    assert (second.rtt, second.rate, second.jitter, second.loss, second.mtu) == (20.0, 100.0, 0.5, 0.1, 1400)
    assert topology.link("north") == second


def test_yaml_written_is_yaml_read(tmp_path: Path) -> None:
    for name in ("star", "grid", "four_pairs"):
        topology = catalog.topology(name)
        back = lab_yaml.read(lab_yaml.write(topology), "x")
        assert (back.hosts, back.links, back.separate_parts) == (
            topology.hosts,
            topology.links,
            topology.separate_parts,
        )
    three = lab_yaml.read(YAML, "x")
    assert lab_yaml.read(lab_yaml.write(three), "x") == three


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cpus: 2", "cpu: 2", ["net.yaml:7: hosts.b.cpu: not known here"]),
        (
            "rate: 100",
            "rate: -1",
            ["net.yaml:11: links.1.rate: input should be greater than or equal to 0.001"],
        ),
        ("rate: 100", 'rate: "100"', ["net.yaml:11: links.1.rate: input should be a valid number"]),
        (
            "[59.91, 10.75]",
            "[99, 10.75]",
            ["net.yaml:4: sites.OSL.0: input should be less than or equal to 90"],
        ),
        ("name: three\n", "", ["net.yaml:1: name: is missing"]),
        (
            "  a: AMS",
            "  9a: AMS",
            ["net.yaml:6: hosts.9a: a name is a letter, then letters, digits, '_' and '-'"],
        ),
        ("  c: OSL", "  a: OSL", ["net.yaml:8:3: 'a' is given twice"]),
        ("[a, b]", "[a, z]", ["net.yaml: the link a-z ends at 'z', which is no host of this file"]),
        ("[b, c]", "[b, a]", ["net.yaml: a second link between b and a; a topology has one at most"]),
        (
            "  c: OSL",
            "  c: OSX",
            ["topology 'three' is not valid: host 'c': unknown site 'OSX' (did you mean 'OSL'?)"],
        ),
        ("hosts:", "hosts: [", ["net.yaml:7:4: did not find expected ',' or ']'"]),
    ],
)
def test_what_is_wrong_in_yaml_is_said_with_its_line(old: str, new: str, said: list[str]) -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(YAML.replace(old, new), "net.yaml")
    assert str(caught.value).splitlines() == said


def test_yaml_that_grows_beyond_its_text_is_refused() -> None:
    """A C loader that met deep nesting ended the process; nested aliases took for ever."""
    with pytest.raises(TopologyError, match=r"^net.yaml:1:26: it is nested too deeply$"):
        lab_yaml.read("name: " + "[" * 100_000, "net.yaml")
    with pytest.raises(TopologyError, match=r"^net.yaml:2:8: an alias, \*a; write the value itself$"):
        lab_yaml.read("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "net.yaml")


def test_yaml_that_is_written_has_no_aliases() -> None:
    place = [1.0, 2.0]

    assert yaml_loader.load(yaml_loader.dump({"a": place, "b": place}), "x") == {"a": place, "b": place}


def test_all_faults_of_a_yaml_file_are_told_at_once() -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(YAML.replace("cpus: 2", "cpu: 2").replace("loss: 0.1", "loss: 101"), "x")
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", "- a", "a: b: c", "\t", "&a [*a]", "name: !!python/object:os.system x", "{" * 2000],
)
def test_what_is_no_topology_in_yaml_is_refused(text: str) -> None:
    with pytest.raises(TopologyError):
        lab_yaml.read(text, "x")


def test_the_json_schema_in_the_documentation_is_that_of_the_models() -> None:
    kept = (ROOT / "docs" / "topologies" / "topology.schema.json").read_text()

    assert kept == models.schema()
    schema = Draft202012Validator(json.loads(kept))
    schema.validate(yaml_loader.load(YAML, "x"))
    assert not schema.is_valid(yaml_loader.load(YAML.replace("cpus", "cpu"), "x"))


# ------------------------------------------------------------------ node-link JSON


def test_node_link_json_is_networkx_own(tmp_path: Path) -> None:
    for name in plugins.names("topologies"):
        topology = catalog.topology(name)
        file = written(tmp_path, f"{name}.json", node_link.write(topology))
        assert catalog.topology(file) == topology
        assert set(nx.node_link_graph(json.loads(file.read_text()), edges="edges")) == set(topology.graph)


def test_older_networkx_calls_edges_links(tmp_path: Path) -> None:
    data = json.loads(node_link.write(catalog.topology("linear")))
    data["links"] = data.pop("edges")

    assert catalog.topology(written(tmp_path, "x.json", json.dumps(data))) == catalog.topology("linear")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no node-link JSON"),
        ("[]", "is no node-link JSON"),
        ("{}", "is no node-link JSON: it lacks 'nodes'"),
        ('{"nodes": [{"id": "a"}, {"id": "a"}], "edges": []}', "two nodes are called a"),
        ('{"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b"}]}', "no node 'b'"),
        ('{"nodes": [{"id": "a", "site": "QQQ"}], "edges": []}', "host 'a': unknown site 'QQQ'"),
        (
            '{"nodes": [{"id": "a", "site": "AMS", "gts": 5}], "edges": []}',
            "gts 5 is not what the lab writes",
        ),
        (
            '{"graph": {"sites": 5}, "nodes": [{"id": "a", "site": "AMS"}], "edges": []}',
            "sites 5 is no mapping",
        ),
        ('{"nodes": [{"id": [1]}], "edges": []}', "is no node-link JSON"),
        ('{"nodes": [5], "edges": []}', "is no node-link JSON"),
        ('{"nodes": [{"id": null}], "edges": []}', "is no node-link JSON: None cannot be a node"),
        ('{"nodes": [], "edges": []}', "no node has Latitude and Longitude"),
        ("[" * 100_000, "is no node-link JSON"),
    ],
)
def test_what_is_no_topology_in_json_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TopologyError, match=said.replace("[", "\\[")):
        catalog.topology(written(tmp_path, "x.json", text))


# ------------------------------------------------------------------ the Topology Zoo's GML and GraphML


def test_places_become_delays_and_speeds_become_rates(tmp_path: Path) -> None:
    topology = catalog.topology(written(tmp_path, "small.gml", SMALL))

    assert topology.name == "Small"
    assert [host.name for host in topology.hosts] == ["Oslo", "Paris", "SaoPaulo"]
    first, second = topology.links
    assert (first.rate, second.rate) == (2500.0, None)
    # 1,344 km by air make 1,680 km of cable; 9,400 km by air 11,750
    assert first.rtt == pytest.approx(16.8, abs=0.1)
    assert second.rtt == pytest.approx(117.5, abs=0.7)


def test_graphml_says_the_same(tmp_path: Path) -> None:
    graph = nx.parse_gml(SMALL, label="id")
    nx.write_graphml(graph, tmp_path / "small.graphml")

    from_graphml = catalog.topology(tmp_path / "small.graphml")
    from_gml = catalog.topology(written(tmp_path, "small.gml", SMALL))

    assert (from_graphml.hosts, from_graphml.links) == (from_gml.hosts, from_gml.links)


FLAWED = {
    "apart": (
        gml(nodes=[OSLO, PARIS, ("2", "Rome", 41.9, 12.5)], edges=["source 0 target 1"]),
        "it is in 2 parts; nodes apart from the largest: 1 (Rome), left out",
        ["Oslo", "Paris"],
    ),
    "twins": (
        gml(
            nodes=[OSLO, PARIS, ("2", "PARIS", 41.9, 12.5)], edges=["source 0 target 1", "source 1 target 2"]
        ),
        "several nodes are called Paris: numbered",
        ["Oslo", "Paris-1", "Paris-2"],
    ),
    "nowhere": (
        gml(
            nodes=[OSLO, PARIS, ("2", "Rome", 41.9, 12.5)], edges=["source 0 target 1", "source 1 target 2"]
        ).replace(" Latitude 41.9 Longitude 12.5", ""),
        "nodes without Latitude and Longitude: 1 (Rome), left out",
        ["Oslo", "Paris"],
    ),
    "parallel": (
        gml(
            nodes=[OSLO, PARIS],
            edges=["source 0 target 1 LinkSpeedRaw 1000000.0", "source 0 target 1 LinkSpeedRaw 9000000.0"],
        ),
        "edges beside a faster one: 1, left out",
        ["Oslo", "Paris"],
    ),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_a_graph_that_is_no_topology_is_refused_or_reduced_with_a_word(tmp_path: Path, flaw: str) -> None:
    text, said, left = FLAWED[flaw]
    file = written(tmp_path, f"{flaw}.gml", text)
    told: list[Event] = []

    with pytest.raises(TopologyError) as caught:
        catalog.topology(file)
    topology = catalog.topology(file, largest_component=True, emit=told.append)

    assert str(caught.value) == f"{file}: {said}; only --largest-component makes a topology of this"
    assert told == [Note(f"{file}: {said}")]
    assert [host.name for host in topology.hosts] == left
    if flaw == "parallel":
        assert topology.links[0].rate == 9.0


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


# ------------------------------------------------------------------ documents and files in general


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
        ("lab: 1\nhosts: {hostZ: {name: x}}", "speaks of hostZ, which its document does not have"),
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
        "odd.txt": "what the name ends in says nothing",
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
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
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
