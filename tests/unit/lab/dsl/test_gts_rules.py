"""The service's own limits and rates."""

from __future__ import annotations

import networkx as nx

from lab import catalog
from lab.dsl import gts_rules
from lab.dsl.from_topology import to_document
from lab.topology import Topology


def test_limits_of_the_service_are_named() -> None:
    graph: nx.Graph[str] = nx.Graph(sites={"OSL": (59.91, 10.75)})
    graph.add_node("a_1", site="OSL", gts={"attributes": {"cpuSpeed": 3, "flavorId": "huge", "odd": 1}})
    graph.add_node("b", site="BRA", gts={"ports": ["p"], "port_attributes": {"p": {"lineRate": 1.5}}})
    graph.add_edge("a_1", "b", rate=2500)

    found = {limit.name for limit in gts_rules.limits(to_document(Topology(graph, name="x")))}

    assert found == {"name", "location", "cpuSpeed", "flavorId", "attribute", "lineRate", "capacity"}
    assert not gts_rules.limits(to_document(catalog.topology("four_pairs", rate=None)))[1:]


def test_rate_follows_capacity_then_bandwidth_then_line_rate() -> None:
    assert gts_rules.rate_of({"capacity": "100", "bandwidth": 5}, []) == 100
    assert gts_rules.rate_of({"bandwidth": 5}, [{"lineRate": 1}]) == 5
    assert gts_rules.rate_of({}, [{"lineRate": 2}, {"lineRate": "1"}]) == 1000
    assert gts_rules.rate_of({}, [{}]) is None
