"""Files of any content give a topology or an error with a sentence, never anything else."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import catalog
from lab.dsl import export
from lab.errors import LabError
from lab.formats import files, lab_yaml, node_link
from lab.topology import Topology
from tests.property.strategies import topologies

GRID = catalog.topology("grid", rows=2, columns=2)
GML = "\n".join(nx.generate_gml(nx.Graph([(0, 1), (1, 2)]))).replace(
    "label", 'Latitude 1 Longitude 2 label "x" #'
)
GRAPHML = "\n".join(nx.generate_graphml(nx.path_graph(3)))
TEXTS = {".json": node_link.write(GRID), ".yaml": lab_yaml.write(GRID), ".gml": GML, ".graphml": GRAPHML}
PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["[", "{", "}", ":", "\n", "- ", "null", "&a", "*a", "<", "1e999", "-"]),
)


def read_or_refused(name: str, text: str, **how: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, "utf-8", "surrogatepass")
        try:
            catalog.topology(file, switches=True, **how)
        except LabError as error:
            said = str(error)
        else:
            said = "a topology"
    assert said


def mutated(draw: Callable[[Any], Any], text: str) -> str:
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(PIECES) + text[start + draw(st.integers(0, 12)) :]


@pytest.mark.parametrize("form", TEXTS)
@given(data=st.data())
def test_any_mutation_of_a_file(form: str, data: st.DataObject) -> None:
    text = mutated(data.draw, mutated(data.draw, TEXTS[form]))
    read_or_refused(f"x{form}", text, largest_component=data.draw(st.booleans()))


JSONS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=3),
        st.sampled_from(["AMS", "a"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["id", "site", "source", "target", "rtt", "gts", "sites", "name", "order", "ports"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(
    graph=JSONS,
    nodes=st.one_of(JSONS, st.lists(JSONS, max_size=3)),
    edges=st.one_of(JSONS, st.lists(JSONS, max_size=2)),
)
def test_any_node_link_json(graph: Any, nodes: Any, edges: Any) -> None:
    read_or_refused("x.json", json.dumps({"graph": graph, "nodes": nodes, "edges": edges}))
    host = {"id": "a", "site": "AMS", "gts": graph}
    read_or_refused(
        "x.json",
        json.dumps(
            {
                "graph": {"gts": graph},
                "nodes": [host, {"id": "b", "site": nodes}],
                "edges": [{"source": "a", "target": "b", "gts": graph, "rtt": edges}],
            }
        ),
    )


@given(hosts=JSONS, links=JSONS)
def test_any_yaml(hosts: Any, links: Any) -> None:
    read_or_refused("x.yaml", json.dumps({"name": "x", "hosts": hosts, "links": links}))


@given(topologies())
def test_our_yaml_holds_hosts_and_links(topology: Topology) -> None:
    back = lab_yaml.read(lab_yaml.write(topology), "x")
    assert {h.name: (h.site, h.cpus, h.image, h.kind) for h in back.hosts} == {
        h.name: (h.site, h.cpus, h.image, h.kind) for h in topology.hosts
    }
    assert [(li.rtt, li.rate, li.jitter, li.loss, li.mtu, li.subnet, li.address_a) for li in back.links] == [
        (li.rtt, li.rate, li.jitter, li.loss, li.mtu, li.subnet, li.address_a) for li in topology.links
    ]


@given(topologies(), st.data())
def test_any_mutation_of_a_side_file(topology: Topology, data: st.DataObject) -> None:
    text = mutated(data.draw, files.sidecar_text(topology, "x.dsl"))
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "x.dsl"
        document.write_text(export(topology))
        files.sidecar_path(document).write_text(text, "utf-8", "surrogatepass")
        try:
            catalog.topology(document, switches=True)
        except LabError as error:
            said = str(error)
        else:
            said = "a topology"
    assert said


@given(topologies())
def test_document_and_side_file_on_disk_give_the_topology_back(topology: Topology) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "x.dsl"
        document.write_text(export(topology, "typed"))
        files.sidecar_path(document).write_text(files.sidecar_text(topology, "x.dsl"))
        assert catalog.topology(document, switches=True) == topology
