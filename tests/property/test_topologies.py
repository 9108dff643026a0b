"""Properties of every topology: drawn at random, and of every generator of the lab."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import catalog, plugins
from lab.topology import Topology, addressing
from tests.property import properties
from tests.property.strategies import topologies

Property = Callable[[Topology], None]
SITES = ("AMS", "PRG", "BRA", "LJU", "MIL", "CPH", "HAM", "PAR", "MAD", "LON", "ERL")
some_sites = st.lists(st.sampled_from(SITES), min_size=3, max_size=9)
GENERATORS = st.one_of(
    st.builds(lambda s: ("linear", {"sites": s}), some_sites),
    st.builds(lambda s: ("ring", {"sites": s}), some_sites),
    st.builds(lambda s: ("full_mesh", {"sites": s[:6]}), some_sites),
    st.builds(lambda s: ("star", {"server": s[0], "clients": s[1:]}), some_sites),
    st.builds(lambda s: ("point_to_point", {"a": s[0], "b": s[1]}), some_sites),
    st.builds(lambda s: ("four_pairs", {"a": s[0], "b": s[1]}), some_sites),
    st.builds(
        lambda b, h, s: ("tree", {"branches": b, "height": h, "sites": s}),
        st.integers(1, 3),
        st.integers(1, 2),
        some_sites,
    ),
    st.builds(
        lambda r, c, s: ("grid", {"rows": r, "columns": c, "sites": s}),
        st.integers(1, 3),
        st.integers(1, 4),
        some_sites,
    ),
    st.builds(
        lambda n, seed, model, s: ("random", {"hosts": n, "seed": seed, "model": model, "sites": s}),
        st.integers(2, 12),
        st.integers(0, 10**9),
        st.sampled_from(["waxman", "erdos_renyi"]),
        some_sites,
    ),
)


@pytest.mark.parametrize("holds", properties.OF_TOPOLOGIES, ids=lambda p: p.__name__)
@given(topology=topologies())
def test_every_topology(holds: Property, topology: Topology) -> None:
    holds(topology)


@pytest.mark.parametrize("name", plugins.names("topologies"))
@pytest.mark.parametrize("holds", properties.OF_TOPOLOGIES, ids=lambda p: p.__name__)
def test_every_shipped_topology(holds: Property, name: str) -> None:
    if holds is not properties.source_is_at_the_lower_number:
        holds(catalog.topology(name))


@given(made=GENERATORS)
def test_generators_are_valid_connected_and_reproducible(made: tuple[str, dict[str, object]]) -> None:
    name, params = made
    topology = catalog.topology(name, **params)
    assert topology == catalog.topology(name, **params)
    assert set(topology.sites) <= set(params.get("sites", SITES))
    assert nx.is_connected(topology.graph) or topology.separate_parts
    assert topology.separate_parts == (name == "four_pairs")
    properties.addresses_never_collide(topology)
    properties.comes_back_with_its_side_file(topology)


@given(hosts=st.integers(1, 600), star=st.booleans())
def test_addresses_of_any_size(hosts: int, star: bool) -> None:
    """Beyond 254 hosts or 255 links the dense scheme takes over, without a collision."""
    shape = nx.star_graph(hosts - 1) if star else nx.path_graph(hosts)
    graph = nx.relabel_nodes(shape, {n: f"h{n}" for n in shape})
    nx.set_node_attributes(graph, "AMS", "site")
    topology = Topology(graph, name="large")
    properties.addresses_never_collide(topology)
    properties.numbered_addresses_tell_link_and_host(topology)


@given(a=st.integers(1, addressing.DENSE_LINKS), b=st.integers(1, addressing.DENSE_LINKS))
def test_dense_subnets_up_to_the_limit(a: int, b: int) -> None:
    from ipaddress import IPv4Address, IPv4Network

    first, second = addressing.dense(a), addressing.dense(b)
    assert IPv4Network(first.subnet).subnet_of(addressing.DENSE)
    assert IPv4Network(first.subnet).overlaps(IPv4Network(second.subnet)) == (a == b)
    assert set(map(str, IPv4Network(first.subnet).hosts())) == {first.address_a, first.address_b}
    assert IPv4Address(first.address_a) < IPv4Address(first.address_b)


@given(seed=st.integers(0, 10**6), hosts=st.integers(2, 30), model=st.sampled_from(["waxman", "erdos_renyi"]))
def test_random_graphs_are_connected_and_follow_their_seed(seed: int, hosts: int, model: str) -> None:
    topology = catalog.topology("random", hosts=hosts, seed=seed, model=model)
    assert nx.is_connected(topology.graph)
    assert len(topology.hosts) == hosts
    assert topology == catalog.topology("random", hosts=hosts, seed=seed, model=model)
