"""A chain of three machines with two ports each."""

from __future__ import annotations

from typing import Any

from lab import catalog
from lab.testbed.survey import Interface

CHAIN = catalog.topology("linear:sites=AMS+PRG+BRA")
PORTS = {"AMS": {"eth1": "eth1"}, "PRG": {"eth1": "eth1", "eth2": "eth2"}, "BRA": {"eth1": "eth1"}}


def interface(name: str, **more: Any) -> Interface:
    known: dict[str, Any] = {
        "mac": f"52:54:00:00:00:{sum(map(ord, name)) % 256:02x}",
        "mtu": 1500,
        "up": True,
        "carrier": True,
        "kind": "ether",
        "addresses": (),
    }
    return Interface(name, **{**known, **more})


def machine(*more: Interface) -> dict[str, Interface]:
    all_ = (interface("eth0", addresses=("192.0.2.1/24",)), interface("eth1"), interface("eth2"), *more)
    return {one.name: one for one in all_}
