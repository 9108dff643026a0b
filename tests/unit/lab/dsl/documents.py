"""Documents and topologies that tests of the language share."""

from __future__ import annotations

import networkx as nx
import pytest

from lab import dsl
from lab.errors import DslError
from lab.topology import Topology
from tests.paths import FIXTURES as ALL_FIXTURES

FIXTURES = ALL_FIXTURES / "dsl"
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


def two_hosts(**link: object) -> Topology:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")
    graph.add_node("b", site="BRA")
    graph.add_edge("a", "b", **link)
    return Topology(graph, name="two")
