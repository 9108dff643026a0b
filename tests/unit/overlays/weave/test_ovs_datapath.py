"""Counters of Open vSwitch's datapath, as a host prints them."""

from __future__ import annotations

from overlays.weave import ovs_datapath


def test_datapath_counters() -> None:
    assert ovs_datapath.parse("hit:1 missed:3106 lost:49\n") == {"hit": 1, "missed": 3106, "lost": 49}
    assert ovs_datapath.parse("") == {}
