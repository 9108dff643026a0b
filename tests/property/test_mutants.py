"""The properties can fail: each of these breakages of the exporter and the addressing is caught.

A mutant is put to the very functions that the tests use; it is caught when at least one of
them fails, for the reason that it is there for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab.dsl import from_topology, write
from lab.dsl.document import Document
from lab.errors import LabError
from lab.topology import Topology, addressing
from lab.topology.addressing import LinkAddresses
from tests.property import properties
from tests.property.strategies import topologies

Patch = pytest.MonkeyPatch
QUICK = settings(max_examples=100, phases=[Phase.generate], database=None, derandomize=True, deadline=None)


def large() -> st.SearchStrategy[Topology]:
    """Topologies on both sides of the border between the two address schemes."""

    def path(hosts: int) -> Topology:
        graph = nx.relabel_nodes(nx.path_graph(hosts), {n: f"h{n}" for n in range(hosts)})
        nx.set_node_attributes(graph, "AMS", "site")
        return Topology(graph, name="large")

    return st.sampled_from([200, 254, 255, 256, 257, 300]).map(path)


def fails(holds: Callable[[Topology], None]) -> bool:
    """Whether a property fails now, for any topology that is drawn."""
    drawn = topologies(max_hosts=5)
    if holds in (properties.addresses_never_collide, properties.numbered_addresses_tell_link_and_host):
        drawn = st.one_of(drawn, large())
    try:
        QUICK(given(drawn)(lambda topology: holds(topology)))()
    except (AssertionError, LabError, ValueError, KeyError, ExceptionGroup):
        return True
    return False


# ------------------------------------------------------------------ seven ways to break the exporter


def swap_source_and_destination(patch: Patch) -> None:
    """The hosts at the two ends of every link change places."""
    meetings = from_topology._link_ends

    def swapped(*given: Any) -> Any:
        (a, port_a, end_a), (b, port_b, end_b) = meetings(*given)
        return [(b, port_b, end_a), (a, port_a, end_b)]

    patch.setattr(from_topology, "_link_ends", swapped)


def drop_a_port(patch: Patch) -> None:
    """Every resource loses its last port."""
    _of_each_resource(patch, lambda resource: replace(resource, ports=resource.ports[:-1]))


def drop_an_adjacency(patch: Patch) -> None:
    """The last link has one end."""
    _of_the_document(patch, lambda document: replace(document, adjacencies=document.adjacencies[:-1]))


def put_all_hosts_at_one_site(patch: Patch) -> None:
    """Every location is that of the first host."""

    def one(document: Document) -> Document:
        first = next(iter(document.nodes())).location
        moved = (r if r.location is None else replace(r, location=first) for r in document.resources)
        return replace(document, resources=tuple(moved))

    _of_the_document(patch, one)


def round_the_rates(patch: Patch) -> None:
    """Rates lose what is behind the point."""
    patch.setattr(
        from_topology, "rate_attributes", lambda rate: {} if rate is None else {"capacity": max(1, int(rate))}
    )


def use_a_port_twice(patch: Patch) -> None:
    """All links of a host meet its first port."""

    def one(document: Document) -> Document:
        first = {node.id: node.ports[0].id for node in document.nodes() if node.ports}
        return replace(
            document, adjacencies=tuple(replace(e, port=first[e.node]) for e in document.adjacencies)
        )

    _of_the_document(patch, one)


def leave_quotes_alone(patch: Patch) -> None:
    """Quotes and backslashes in a description are written as they are."""
    patch.setattr(write, "escaped", lambda character: character)


def _of_the_document(patch: Patch, change: Callable[[Document], Document]) -> None:
    whole = write.write
    patch.setattr(write, "write", lambda document, dialect: whole(change(document), dialect))


def _of_each_resource(patch: Patch, change: Callable[[Any], Any]) -> None:
    _of_the_document(
        patch, lambda d: replace(d, resources=tuple(change(r) if r.ports else r for r in d.resources))
    )


# ------------------------------------------------------------------ six ways to break the addressing


def use_a_subnet_again(patch: Patch) -> None:
    """Two links share each subnet."""
    numbered = addressing.numbered
    patch.setattr(addressing, "numbered", lambda link, a, b: numbered((link + 1) // 2, a, b))


def give_both_ends_one_address(patch: Patch) -> None:
    """The far end has the near end's address."""
    numbered = addressing.numbered
    patch.setattr(addressing, "numbered", lambda link, a, b: numbered(link, a, a))


def number_hosts_from_zero(patch: Patch) -> None:
    """The first host gets the subnet's own address."""
    numbered = addressing.numbered
    patch.setattr(addressing, "numbered", lambda link, a, b: numbered(link, a - 1, b - 1))


def let_the_numbered_scheme_run_over(patch: Patch) -> None:
    """A 256th link is still thought to fit."""
    patch.setattr(addressing, "fits_numbered", lambda hosts, links: links <= 300)


def let_dense_subnets_overlap(patch: Patch) -> None:
    """Subnets of four addresses begin every two."""

    def overlapping(link: int) -> LinkAddresses:
        return addressing._addresses(int(addressing.DENSE.network_address) + 2 * (link - 1), 30, 1, 2)

    patch.setattr(addressing, "dense", overlapping)


def swap_the_ends(patch: Patch) -> None:
    """Each host has the other's address."""
    numbered = addressing.numbered
    patch.setattr(addressing, "numbered", lambda link, a, b: numbered(link, b, a))


#: Each mutant, and a property that must see it.
MUTANTS = {
    swap_source_and_destination: "source_is_at_the_lower_number",
    drop_a_port: "each_link_has_two_ends_and_each_port_one",
    drop_an_adjacency: "each_link_has_two_ends_and_each_port_one",
    put_all_hosts_at_one_site: "comes_back_in_what_the_language_holds",
    round_the_rates: "comes_back_in_what_the_language_holds",
    use_a_port_twice: "each_link_has_two_ends_and_each_port_one",
    leave_quotes_alone: "comes_back_with_its_side_file",
    use_a_subnet_again: "addresses_never_collide",
    give_both_ends_one_address: "addresses_never_collide",
    number_hosts_from_zero: "addresses_never_collide",
    let_the_numbered_scheme_run_over: "addresses_never_collide",
    let_dense_subnets_overlap: "addresses_never_collide",
    swap_the_ends: "numbered_addresses_tell_link_and_host",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_properties_catch(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    holds = getattr(properties, MUTANTS[mutant])
    assert not fails(holds), "without the mutant the property holds"
    mutant(monkeypatch)
    assert fails(holds)
