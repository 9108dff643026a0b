"""External service access points, on a backend that makes nothing."""

from __future__ import annotations

from typing import Any


def test_this_machines_end_of_a_switch_is_recorded_before_it_is_made(make: Any) -> None:
    made = make()
    made.addExtSAP("sap1", "198.18.77.1/24")
    done = made.backend.done
    added = ("sap1", "ip link add here type veth peer name sap-abcd-0")
    assert done.index("own link") < done.index(added)
    made.removeExtSAP("sap1")
    assert ("this machine", "ip link delete sap-abcd-0") in done
