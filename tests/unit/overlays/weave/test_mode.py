"""The mode that Weave's routers run in, from their own reports."""

from __future__ import annotations

import json

from overlays.weave import mode, status
from tests.paths import FIXTURES


def report(name: str) -> status.Report:
    return status.parse(json.loads((FIXTURES / "weave" / f"report-{name}.json").read_text()))


def test_the_mode_of_all_hosts_is_read_from_their_connections() -> None:
    seen = mode.read({"AMS": report("end"), "PRG": report("end")}, {"AMS": ["192.168.1.2"], "PRG": []}, 1376)
    assert seen == {
        "mode": "sleeve",
        "connections": "1 sleeve",
        "encryption": "off",
        "mtu": "1376",
        "version": "2.8.1",
    }


def test_a_neighbour_that_is_not_connected_is_part_of_the_mode() -> None:
    seen = mode.read({"AMS": report("end")}, {"AMS": ["192.168.1.2", "192.168.9.9"]}, 1376)
    assert seen["mode"] == "not connected+sleeve"
    assert seen["connections"] == "1 sleeve, AMS→192.168.9.9 not connected"


def test_encryption_is_on_where_every_connection_has_it() -> None:
    assert mode.read({"AMS": report("encrypted")}, {"AMS": []}, 1376)["encryption"] == "on"


def test_what_carries_packets_is_told_for_every_neighbour() -> None:
    end = report("end")
    assert mode.carrier(end, "192.168.1.2") == "sleeve"
    assert mode.carrier(end, "192.168.9.9") == "not connected"


def test_what_is_not_of_the_best_kind_is_named() -> None:
    assert mode.summary({"AMS→b": "sleeve", "PRG→a": "sleeve"}) == "2 sleeve"
    mixed = mode.summary({"AMS→b": "sleeve", "PRG→a": "fastdp", "PRG→c": "pending"})
    assert mixed == "1 fastdp, AMS→b sleeve, PRG→c pending"
    assert mode.summary({"AMS→b": "failed"}) == "AMS→b failed"
