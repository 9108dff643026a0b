"""The answers of a Yggdrasil node: those of version 0.4.7, one whole and some that are cut off."""

from __future__ import annotations

from overlays.yggdrasil import admin
from tests.paths import ROOT

PRINTED = (ROOT / "tests/fixtures/yggdrasil/end-of-three.json").read_text()
FAR, NEAR = "200:fd09:f366:2bd3:851:dc0a:c55:8ac", "201:b1ba:d698:4ba2:19d7:7f59:a65d:3d9"


def test_a_path_begins_at_the_peer_behind_its_first_port() -> None:
    node = admin.node(PRINTED)
    assert (node.address, node.coords) == ("200:7f20:bf2c:3a3a:3a63:5fbb:980f:da0a", (1,))
    assert node.paths == {FAR: (1, 2, 0)}, "one that is still looked for is none"
    assert node.next_hop(FAR) == NEAR
    assert node.next_hop(NEAR) is None


def test_a_node_that_did_not_answer_all_is_empty() -> None:
    for end in (0, 100, 400, len(PRINTED) - 30):
        assert admin.node(PRINTED[:end]) == admin.YggdrasilNode()


def test_a_path_that_begins_at_a_port_without_a_peer_leads_nowhere() -> None:
    node = admin.node(PRINTED.replace('"port": 1', '"port": 3'))
    assert node.next_hop(FAR) is None


def test_a_node_without_anybody_has_null_for_lists() -> None:
    node = admin.node('{"address": "200::1", "coords": null}{"peers": null}{"paths": null}')
    assert (node.address, node.coords, node.peers, node.paths) == ("200::1", (), {}, {})
