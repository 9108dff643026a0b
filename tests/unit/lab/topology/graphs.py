"""Graphs that tests of topologies use."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from lab.errors import TopologyError
from lab.topology import Topology


def graph(**edge: Any) -> nx.Graph[Any]:
    """Two hosts with a link between them."""
    made: nx.Graph[Any] = nx.Graph()
    made.add_node("a", site="AMS")
    made.add_node("b", site="BRA")
    made.add_edge("a", "b", **edge)
    return made


def refused(made: nx.Graph[Any], **about: Any) -> tuple[str, ...]:
    with pytest.raises(TopologyError) as caught:
        Topology(made, name="x", **about)
    return caught.value.faults
