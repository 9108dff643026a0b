"""Overlays on a lab whose links change: routes are renewed, routers told of new and lost neighbours."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from lab.errors import OverlayError
from lab.topology import Topology
from overlays.registry import parse
from tests.unit.fakes import FakeHost
from topologies import ring

RING = ring.topology().pinned()
HOSTS = [host.name for host in RING.hosts]


def without(a: str, b: str) -> Topology:
    graph: nx.Graph[Any] = nx.Graph(RING.graph)
    graph.remove_edge(a, b)
    return Topology(graph, name="open").numbered_like(RING)


def installed(spec: str) -> tuple[Any, list[FakeHost]]:
    """An overlay as after its installation."""
    overlay, hosts = parse(spec), [FakeHost(name) for name in HOSTS]
    overlay.hosts, overlay.topology = tuple(hosts), RING
    return overlay, hosts


@pytest.mark.parametrize("spec", ["underlay", "flannel", "libnetwork"])
async def test_what_goes_over_routes_gets_others_in_their_place(spec: str) -> None:
    overlay, hosts = installed(spec)
    wanted = without("LJU", "MIL")
    await overlay.rewire(wanted)
    assert overlay.topology is wanted
    for host in hosts:
        (script,) = host.fed
        routes = [f"{subnet} via {gateway}" for subnet, gateway in wanted.routes(host.name)]
        assert script.index("route flush proto") < script.index(routes[0])
        assert all(route in script for route in routes)


@pytest.mark.parametrize("spec", ["underlay", "flannel", "libnetwork"])
async def test_a_host_that_would_get_another_address_is_refused(spec: str) -> None:
    overlay, _ = installed(spec)
    with pytest.raises(OverlayError, match="AMS has lost the address"):
        await overlay.rewire(without("AMS", "PRG"))  # the first link of both


async def test_weave_routers_forget_a_neighbour_and_meet_a_new_one() -> None:
    overlay, hosts = installed("weave")
    by_name = {host.name: host for host in hosts}
    link = RING.link("PRG", "BRA")
    await overlay.rewire(without("PRG", "BRA"))
    assert ("-d", f"peer={link.address('BRA')}") == by_name["PRG"].ran[0][2:4]
    assert by_name["PRG"].ran[0][-1].endswith("/forget")
    assert by_name["MIL"].ran == []
    await overlay.rewire(RING)
    assert by_name["PRG"].ran[1][-1].endswith("/connect")


@pytest.mark.parametrize("spec", ["weave", "tinc"])
async def test_an_overlay_that_relays_is_not_parted(spec: str) -> None:
    overlay, _ = installed(spec)
    overlay.hosts = tuple(host for host in overlay.hosts if host.name != "MIL")
    with pytest.raises(OverlayError, match="only through a host that does not have the overlay"):
        await overlay.rewire(without("PRG", "BRA"))
    assert overlay.topology is RING


async def test_a_refused_change_of_the_links_leaves_plain_routes_as_they_were() -> None:
    overlay, hosts = installed("flannel:backend=host-gw")
    with pytest.raises(OverlayError, match="host-gw needs every host on one link"):
        await overlay.rewire(without("LJU", "MIL"))
    assert overlay.topology is RING
    assert not any(host.fed for host in hosts)
