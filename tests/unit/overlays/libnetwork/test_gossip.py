"""Gossip of Docker's daemons, as they tell it."""

from __future__ import annotations

from overlays.libnetwork import gossip


def test_daemons_known_by_gossip_as_docker_20_10_tells_them() -> None:
    said = (
        '{"message":"OK","details":{"size":2,"entries":'
        '[{"-=name":"9c7a487476e5","ip":"192.168.2.3"},{"-=name":"43433fcf1ccd","ip":"192.168.3.4"}]}}'
    )
    assert gossip.parse_peers(said) == {"192.168.2.3", "192.168.3.4"}
    assert gossip.parse_peers('{"message":"OK","details":{"size":0,"entries":null}}') == set()
    assert gossip.parse_peers("OK\n") == set()
