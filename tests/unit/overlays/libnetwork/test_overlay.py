"""Docker's own overlay networks: what Docker is asked for, and where its daemons meet."""

from __future__ import annotations

from typing import Any

from lab import catalog
from overlays.libnetwork import overlay as libnetwork
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


class TestLibnetwork:
    def test_nodes_are_found_at_any_depth_of_the_store(self) -> None:
        leaf = [{"key": "/a", "value": "192.168.1.1:2376"}, {"key": "/b", "value": "192.168.1.2:2376"}]
        assert libnetwork.nodes({"nodes": [{"nodes": leaf}]}) == {"192.168.1.1:2376", "192.168.1.2:2376"}
        assert libnetwork.nodes({}) == set()

    def test_networks_have_no_way_out_and_can_be_attached_to(self) -> None:
        wanted = libnetwork.network("lab", "10.50.0.0/16", 1500, swarm=True, encrypted=True)
        assert wanted["Internal"]
        assert wanted["Attachable"]
        assert "encrypted" in wanted["Options"]
        plain = libnetwork.network("lab", "10.50.0.0/16", 1500, swarm=False, encrypted=False)
        assert plain["Internal"]
        assert not plain["Attachable"]
        assert "encrypted" not in plain["Options"]

    def test_daemons_meet_where_the_farthest_of_them_is_nearest(self) -> None:
        """On the chain AMS–PRG–BRA–LJU–MIL–AMS2 that is LJU: 93.2 ms to AMS2, 68.03 to AMS."""
        chain = catalog.topology("linear")
        hosts: Any = [FakeHost(h.name) for h in chain.hosts]
        assert libnetwork.centre(hosts, chain).name == "LJU"
        assert libnetwork.centre(hosts[:3], chain).name == "PRG"
