"""Who may join or leave an overlay that relays: a gap in the middle would part its hosts."""

from __future__ import annotations

import pytest

from lab import catalog
from lab.errors import OverlayError
from overlays.common import routes
from overlays.common.batch import Batch
from overlays.common.routes import refuse_gap
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


def hosts(*names: str) -> list[FakeHost]:
    return [FakeHost(name) for name in names]


def test_hosts_side_by_side_are_whole() -> None:
    refuse_gap("tinc", CHAIN, hosts("AMS", "PRG", "BRA"))
    refuse_gap("tinc", CHAIN, hosts("LJU"))
    refuse_gap("tinc", catalog.topology("ring"), hosts("AMS", "PRG"))


@pytest.mark.parametrize("names", [("AMS", "BRA"), ("AMS", "PRG", "LJU", "MIL")])
def test_a_host_that_is_missing_in_the_middle_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(OverlayError, match=r"tinc: AMS would reach \w+ only through a host"):
        refuse_gap("tinc", CHAIN, hosts(*names))


def test_parts_that_were_never_joined_are_not_a_gap() -> None:
    pairs = catalog.topology("four_pairs")
    refuse_gap("tinc", pairs, [FakeHost(host.name) for host in pairs.hosts])


class TestRoutes:
    def test_every_subnet_that_is_not_its_own_has_one(self) -> None:
        assert routes.to_subnets("PRG", CHAIN) == [f"192.168.{n}.0/24 via 192.168.2.3" for n in (3, 4, 5)]

    def test_tunnels_leave_from_the_first_address(self) -> None:
        assert "192.168.5.6/32 via 192.168.2.3 src 192.168.1.2" in routes.to_hosts("PRG", CHAIN)
        # to BRA they would else leave from the address on that link, which BRA's tunnel does not know
        assert "192.168.2.3/32 dev eth2 src 192.168.1.2" in routes.to_hosts("PRG", CHAIN)

    def test_only_a_tunnels_own_datagrams_take_them(self) -> None:
        script = routes.add_tunnel(Batch(), "PRG", CHAIN, "libnetwork", 4789).script
        table = routes.mark("libnetwork")
        assert f"src 192.168.1.2 table {table}" in script
        assert f"ipproto udp dport 4789 lookup {table} priority {table}" in script

    def test_overlays_have_routes_of_their_own(self) -> None:
        marks = {routes.mark(name) for name in ("underlay", "libnetwork", "flannel")}
        assert len(marks) == 3

    def test_separate_parts_have_no_routes_to_each_other(self) -> None:
        pairs = catalog.topology("four_pairs")
        for host in pairs.hosts:
            assert len(routes.to_hosts(host.name, pairs)) == 1


class TestRelays:
    def test_along_a_chain_everything_goes_to_the_next_host(self) -> None:
        onward = routes.relays(CHAIN, hosts(*(host.name for host in CHAIN.hosts)))
        assert onward["PRG"] == {"AMS": "AMS"} | dict.fromkeys(("BRA", "LJU", "MIL", "AMS2"), "BRA")

    @pytest.mark.parametrize("text", ["grid:rows=4,columns=4", "full_mesh", "ring", "four_pairs"])
    def test_what_comes_back_takes_the_same_way(self, text: str) -> None:
        """A tunnel drops what comes from a neighbour by which it would not answer; a grid has equal ways."""
        topology = catalog.topology(text)
        onward = routes.relays(topology, hosts(*(host.name for host in topology.hosts)))

        def way(here: str, there: str) -> list[str]:
            return [here] if here == there else [here, *way(onward[here][there], there)]

        for here, others in onward.items():
            assert set(others) == {
                h.name for h in topology.hosts if h.name != here and routes.reaches(topology, here, h.name)
            }
            for there in others:
                assert way(here, there) == way(there, here)[::-1]
