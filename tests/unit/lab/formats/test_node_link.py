"""networkx's node-link JSON."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from lab import catalog, plugins
from lab.errors import TopologyError
from lab.formats import node_link
from tests.unit.lab.formats.graphs import written


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
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_topology_in_json_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TopologyError, match=said.replace("[", "\\[")):
        catalog.topology(written(tmp_path, "x.json", text))
