"""Docker's bridge on every host: a /24 of the overlay's subnet for each."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.errors import OverlayError
from overlays.common.bridge import BridgeNetwork
from tests.unit.fakes import FakeHost

NETWORK = BridgeNetwork("tinc", "lab-tinc", "br-tinc", "10.60.0.0/16", "1376")


def test_each_host_has_a_part_of_its_own() -> None:
    assert str(NETWORK.part("AMS", 1)) == "10.60.1.0/24"
    assert str(NETWORK.part("AMS2", 6)) == "10.60.6.0/24"
    with pytest.raises(OverlayError, match=r"10\.60\.0\.0/22 has no /24 for host AMS2, number 6; set subnet"):
        replace(NETWORK, subnet="10.60.0.0/22").part("AMS2", 6)


async def test_it_is_internal_and_one_that_is_there_stays() -> None:
    host = FakeHost("AMS", lambda argv: (0, '{"message": "network with name lab-tinc already exists"}\n409'))
    await NETWORK.create(host, 1)
    asked = json.loads(host.fed[0])
    assert asked["Internal"]
    assert asked["IPAM"]["Config"] == [
        {"Subnet": "10.60.0.0/16", "IPRange": "10.60.1.0/24", "Gateway": "10.60.1.1"}
    ]
    assert asked["Options"]["com.docker.network.bridge.name"] == "br-tinc"


async def test_a_refusal_has_docker_s_words() -> None:
    host = FakeHost("AMS", lambda argv: (0, '{"message": "no room"}\n500'))
    with pytest.raises(OverlayError, match="tinc: network 'lab-tinc' on AMS: no room"):
        await NETWORK.create(host, 1)
