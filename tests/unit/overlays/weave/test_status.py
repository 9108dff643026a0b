"""A Weave router's own report."""

from __future__ import annotations

import json

import pytest

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


def connection(**more: object) -> dict[str, object]:
    attributes = {"name": "fastdp", "mtu": 1376, **more}
    return {"Address": "192.0.2.1:6783", "State": "established", "Attrs": attributes, "Info": "x"}


@pytest.mark.parametrize(
    ("mtu", "ready", "said"),
    [
        (60_000, True, ""),
        (60_001, True, "the path MTU is not verified yet"),
        (1376, False, "not ready"),
        (60_001, False, "the path MTU is not verified yet"),
    ],
)
def test_a_router_is_ready_when_the_paths_are_measured_and_it_says_so(
    mtu: int, ready: bool, said: str
) -> None:
    report = weave_status.parse({"Ready": ready, "Router": {"Connections": [connection(mtu=mtu)]}})
    assert report.lacking(["192.0.2.1"], [], "fastdp") == said


def test_a_report_that_says_little_has_connections_without_values() -> None:
    assert weave_status.parse({}) == weave_status.Report("", "", False, (), {})
    (one,) = weave_status.parse({"Router": {"Connections": [{}]}}).connections
    assert one == weave_status.Connection("", "", "", 0, False, "")
    assert not one.established


def test_a_neighbour_that_is_not_connected_is_told_with_its_state() -> None:
    row = {**connection(), "State": "failed"}
    report = weave_status.parse({"Ready": True, "Router": {"Connections": [row]}})
    assert report.lacking(["192.0.2.1", "192.0.2.2"], [], "sleeve") == (
        "192.0.2.1 failed: x; 192.0.2.2 not connected"
    )
