"""Values with a unit."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from lab.topology import Topology, units


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("10ms", "ms", 10.0),
        ("1.5 s", "ms", 1500.0),
        ("250us", "ms", 0.25),
        ("250µs", "ms", 0.25),
        ("250μs", "ms", 0.25),
        ("1Gbit", "Mbit/s", 1000.0),
        ("100 mbit/s", "Mbit/s", 100.0),
        ("500kbit", "Mbit/s", 0.5),
        (".5%", "percent", 0.5),
        ("1e3ms", "ms", 1000.0),
        (5, "ms", 5),
        ("5", "ms", "5"),
        ("none", "ms", "none"),
        (None, "ms", None),
    ],
)
def test_a_text_with_a_unit_is_a_number(text: Any, unit: str, number: Any) -> None:
    assert units.read(text, unit) == number


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("10min", "ms", "min is no unit for it; write us, µs, ms, s, or a number alone for ms"),
        ("10ms", "Mbit/s", "ms is no unit for it; write bit, kbit, Mbit, Gbit, or a number alone for Mbit/s"),
        ("10ms/s", "ms", "ms/s is no unit for it"),
        ("8MB", "Mbit/s", "MB is no unit for it"),
        ("5kB", "bytes", "kB is no unit for it; it is a number of bytes"),
    ],
)
def test_a_wrong_unit_is_named_with_the_right_ones(text: str, unit: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        units.read(text, unit)


def test_an_option_can_do_without_a_unit() -> None:
    assert units.number("5", "ms") == 5.0
    with pytest.raises(
        ValueError, match="write a number of Mbit/s, or one with a unit: bit, kbit, Mbit, Gbit"
    ):
        units.number("fast", "Mbit/s")


def test_a_graph_can_have_units_and_coordinates_and_is_left_as_it_was() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", coordinates=(52.4, 4.9))
    graph.add_node("b")
    graph.add_edge("a", "b", rtt="10ms", **{"from": {"a": {"rate": "1Gbit"}}})
    topology = Topology(graph, name="x")
    assert topology.links[0].rtt == 10.0
    assert topology.links[0].impairments("a").rate == 1000.0
    assert topology.hosts[0].site == "A"
    assert graph.edges["a", "b"]["rtt"] == "10ms"
    assert "coordinates" in graph.nodes["a"]
    assert Topology.from_dict(topology.to_dict()) == topology
