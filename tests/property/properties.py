"""What holds for every topology and every document, each as a function that a test can call.

They stand apart from the tests so that the mutants (`test_mutants`) are put to the same.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise, permutations
from typing import Any

import networkx as nx
import pytest

from lab import dsl
from lab.draw import labels, summary
from lab.dsl import DIALECTS, sidecar
from lab.errors import DslError
from lab.topology import Topology
from lab.topology.addressing import DENSE, NUMBERED
from lab.topology.impairments import DEFAULTS


def sites_of(topology: Topology) -> dict[str, Any]:
    """The further sites that a document needs to be told."""
    return dict(topology.graph.graph.get("sites", {}))


def held(topology: Topology) -> Any:
    """What the language holds of a topology: ids, sites, kinds, ports, links and rates; no numbers."""
    text = dsl.export(topology)
    document = dsl.read(text, locations=sites_of(topology))
    hosts = {(node.id, node.kind, node.location, node.ports, node.attributes) for node in document.nodes()}
    ends = {(end.node, end.port, end.link, end.link_port) for end in document.adjacencies}
    links = {(link.id, link.ports, link.attributes) for link in document.links()}
    return document.name, document.id, document.description, hosts, links, ends


def comes_back_with_its_side_file(topology: Topology) -> None:
    for dialect in DIALECTS:
        text = dsl.export(topology, dialect)
        assert dsl.parse(text, sidecar=sidecar.extract(topology)) == topology


def comes_back_in_what_the_language_holds(topology: Topology) -> None:
    for dialect in DIALECTS:
        bare = dsl.parse(dsl.export(topology, dialect), sites=sites_of(topology))
        assert held(bare) == held(topology)
        graph, back = topology.graph, bare.graph
        names = dict(zip(graph, back, strict=True))
        assert {names[a] for a in graph} == set(back)
        assert {frozenset((names[a], names[b])) for a, b in graph.edges} == set(map(frozenset, back.edges))
        for host in topology.hosts:
            assert (host.site, host.kind) == (
                bare.host(names[host.name]).site,
                bare.host(names[host.name]).kind,
            )
        for link in topology.links:
            assert bare.link(names[link.a], names[link.b]).rate == link.rate
        assert bare.description == topology.description


def export_is_a_fixed_point(topology: Topology) -> None:
    for dialect in DIALECTS:
        text = dsl.export(topology, dialect)
        assert text.endswith("}\n")
        assert dsl.export(dsl.parse(text, sites=sites_of(topology)), dialect) == text


def each_link_has_two_ends_and_each_port_one(topology: Topology) -> None:
    pairs = re.findall(r"^    adjacency (\S+), (\S+)$", dsl.export(topology), re.MULTILINE)
    ports = [port for pair in pairs for port in pair]
    assert len(ports) == 4 * len(topology.links)
    assert len(set(ports)) == len(ports)
    document = dsl.read(dsl.export(topology), locations=sites_of(topology))
    for link in document.links():
        assert sum(end.link == link.id for end in document.adjacencies) == 2
        joined = {end.node for end in document.adjacencies if end.link == link.id}
        assert len(joined) == 2
    assert len(list(document.links())) == len(topology.links)


def source_is_at_the_lower_number(topology: Topology) -> None:
    """What the writer chooses where nobody said otherwise."""
    document = dsl.read(dsl.export(topology), locations=sites_of(topology))
    ids = dict(zip((node.id for node in document.nodes()), topology.graph, strict=True))
    for end in document.adjacencies:
        other = next(e for e in document.adjacencies if e.link == end.link and e is not end)
        first = topology.host(ids[end.node]).number < topology.host(ids[other.node]).number
        assert end.link_port == ("src" if first else "dst")


def addresses_never_collide(topology: Topology) -> None:
    subnets = [IPv4Network(link.subnet) for link in topology.links]
    ordered = sorted(subnets)
    assert all(a.broadcast_address < b.network_address for a, b in pairwise(ordered))
    seen: set[IPv4Address] = set()
    interfaces: set[tuple[str, str]] = set()
    for link, subnet in zip(topology.links, subnets, strict=True):
        assert subnet.subnet_of(NUMBERED) or subnet.subnet_of(DENSE)
        for host in (link.a, link.b):
            address = IPv4Address(link.address(host))
            assert address in subnet
            assert address not in (subnet.network_address, subnet.broadcast_address)
            assert address not in seen
            assert link.interface(host) != "eth0"
            assert (host, link.interface(host)) not in interfaces
            seen.add(address)
            interfaces.add((host, link.interface(host)))


def numbered_addresses_tell_link_and_host(topology: Topology) -> None:
    """192.168.LINK.HOST while it fits."""
    if len(topology.hosts) > 254 or len(topology.links) > 255:
        return
    for link in topology.links:
        for host in (link.a, link.b):
            assert link.address(host) == f"192.168.{link.number}.{topology.host(host).number}"


def expected_rtt_is_a_metric(topology: Topology) -> None:
    """So is the number of links; what paths are compared by keeps to the triangle as well."""
    by = topology.rtt if topology.routing == "delay" else topology.hops
    names = [host.name for host in topology.hosts]
    reach = {a: nx.node_connected_component(topology.graph, a) for a in names}
    for a in names:
        assert topology.rtt(a, a) == 0
        assert topology.hops(a, a) == 0
        for b in reach[a]:
            assert topology.rtt(a, b) == pytest.approx(topology.rtt(b, a), abs=1e-6)
            assert topology.rtt(a, b) >= 0
            for c in reach[a]:
                assert by(a, c) <= by(a, b) + by(b, c) + 1e-6
    for link in topology.links:
        assert topology.rtt(link.a, link.b) <= link.rtt + 1e-6
        assert topology.routing == "delay" or topology.path(link.a, link.b) == (link.a, link.b)


def routes_lead_to_every_address(topology: Topology) -> None:
    """Following the routes from any host ends at any address that can be reached, without a loop."""
    owners = {address: host.name for host in topology.hosts for address in topology.addresses(host.name)}
    tables = {host.name: _table(topology, host.name) for host in topology.hosts}
    for start in tables:
        for address, owner in owners.items():
            if owner not in nx.node_connected_component(topology.graph, start):
                continue
            at, steps = start, 0
            while at != owner:
                matches = [route for route in tables[at] if IPv4Address(address) in route[0]]
                network, via = max(matches, key=lambda route: route[0].prefixlen)
                at = owners[via] if via else owner
                steps += 1
                assert steps <= len(tables), (start, address, network)


def _table(topology: Topology, host: str) -> list[tuple[IPv4Network, str]]:
    own = [(IPv4Network(link.subnet), "") for link in topology.links_of(host)]
    return own + [(IPv4Network(subnet), via) for subnet, via in topology.routes(host)]


def relabelling_changes_only_names(topology: Topology) -> None:
    names = {host.name: f"renamed{host.number}" for host in topology.hosts}
    graph = nx.relabel_nodes(nx.Graph(topology.graph), names)
    for _, _, edge in graph.edges(data=True):
        edge["from"] = {names[host]: own for host, own in edge["from"].items()}
    # a schedule refers to links by names, which are made of those of their hosts
    graph.graph.pop("schedule", None)
    other = Topology(
        graph, name=topology.name, description=topology.description, separate_parts=topology.separate_parts
    )
    for link, twin in zip(topology.links, other.links, strict=True):
        assert (names[link.a], names[link.b]) == (twin.a, twin.b)
        for what in (
            *DEFAULTS,
            "number",
            "rtt",
            "mtu",
            "subnet",
            "address_a",
            "address_b",
            "interface_a",
        ):
            assert getattr(link, what) == getattr(twin, what)
        for host in (link.a, link.b):
            assert link.impairments(host) == twin.impairments(names[host])
    for a, b in permutations(names, 2):
        if nx.has_path(topology.graph, a, b):
            assert topology.rtt(a, b) == pytest.approx(other.rtt(names[a], names[b]), abs=1e-6)


def survives_as_plain_data(topology: Topology) -> None:
    import json
    import pickle

    from lab.formats import node_link
    from lab.formats.node_link import TOPOLOGY_KEYS

    assert Topology.from_dict(json.loads(json.dumps(topology.to_dict()))) == topology
    assert pickle.loads(pickle.dumps(topology)) == topology
    graph = node_link.read_graph(node_link.write(topology), "x")
    assert Topology(graph, **{key: graph.graph.pop(key) for key in TOPOLOGY_KEYS}) == topology


def can_be_shown(topology: Topology) -> None:
    text = summary.text(topology)
    assert all(host.name in text for host in topology.hosts)
    assert labels.dot(topology).count(" -- ") == len(topology.links)
    assert labels.mermaid(topology).count(" --- ") == len(topology.links)


def topology_or_place(text: str) -> None:
    """Any text gives a topology, or faults that each stand inside the text."""
    lines = text.split("\n")
    try:
        found = dsl.parse(text)
    except DslError as error:
        faults = error.faults
    else:
        assert isinstance(found, Topology)
        return
    assert faults
    for fault in faults:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
        assert fault.what


#: What every topology is put to.
OF_TOPOLOGIES = (
    comes_back_with_its_side_file,
    comes_back_in_what_the_language_holds,
    export_is_a_fixed_point,
    each_link_has_two_ends_and_each_port_one,
    source_is_at_the_lower_number,
    addresses_never_collide,
    numbered_addresses_tell_link_and_host,
    expected_rtt_is_a_metric,
    routes_lead_to_every_address,
    relabelling_changes_only_names,
    survives_as_plain_data,
    can_be_shown,
)
