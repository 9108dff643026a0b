"""lab testbed inventory, as typed."""

from __future__ import annotations

from tests.unit.command_line import Lab


def test_an_inventory_to_fill_in_is_printed(lab: Lab) -> None:
    status, out, _ = lab("testbed", "inventory", "linear:sites=AMS+PRG")
    assert status == 0
    assert "topology: linear:sites=AMS+PRG" in out
    assert "eth1: auto   # AMS-PRG: 192.168.1.1/24, to PRG" in out
