"""A Weave router's own report."""

from __future__ import annotations

import json

from overlays.weave import router as weaver
from overlays.weave import status as weave_status
from tests.paths import FIXTURES


class TestWeaveStatus:
    def report(self, name: str) -> weave_status.Report:
        return weave_status.parse(json.loads((FIXTURES / "weave" / f"report-{name}.json").read_text()))

    def test_the_router_at_the_end_reaches_the_far_one_by_its_neighbour(self) -> None:
        report = self.report("end")
        assert report.multihop() == {weaver.mac(3): weaver.mac(2)}
        assert report.version == "2.8.1"

    def test_the_one_in_the_middle_reaches_both_directly(self) -> None:
        assert self.report("middle").multihop() == {}

    def test_nothing_is_lacking_when_all_neighbours_and_routes_are_there(self) -> None:
        assert self.report("end").lacking(["192.168.1.2"], [weaver.mac(n) for n in (1, 2, 3)], "sleeve") == ""

    def test_a_missing_neighbour_and_a_missing_route_are_named(self) -> None:
        words = self.report("end").lacking(["192.168.9.9"], [weaver.mac(4)], "sleeve")
        assert "192.168.9.9 not connected" in words
        assert weaver.mac(4) in words

    def test_sleeve_is_not_enough_where_fastdp_was_asked(self) -> None:
        assert "runs in sleeve, not fastdp" in self.report("end").lacking(["192.168.1.2"], [], "fastdp")

    def test_encryption_is_read_from_the_connection(self) -> None:
        assert [c.encrypted for c in self.report("encrypted").connections] == [True]
        assert [c.mtu for c in self.report("encrypted").connections] == [1414]
