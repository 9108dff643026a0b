"""The Topology Zoo's GML and GraphML."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from lab import catalog
from lab.errors import TopologyError
from lab.events import Event, Note
from tests.unit.lab.formats.graphs import written

NODE = 'node [ id {} label "{}" Latitude {} Longitude {} Internal 1 ]'


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
