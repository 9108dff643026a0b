"""Offload features as ethtool lists them, and datagrams that fill their packets."""

from __future__ import annotations

import pytest

from lab.errors import MeasureError
from lab.measure import ethtool
from tests.paths import FIXTURES

OUTPUTS = FIXTURES


def test_features_are_read_and_ufo_is_gone() -> None:
    found = ethtool.parse_features((OUTPUTS / "ethtool/features-off.txt").read_text())
    assert found["tcp-segmentation-offload"] == found["generic-segmentation-offload"] == "off"
    assert ethtool.UFO not in found
    assert found["large-receive-offload"] == "off", "what cannot be changed has a state too"
    with pytest.raises(MeasureError, match="listed no feature"):
        ethtool.parse_features("Cannot get device feature names: No such device")


@pytest.mark.parametrize(
    ("mtu", "fragments", "size"), [(1500, 1, 1472), (1450, 1, 1422), (1500, 2, 2952), (1376, 2, 2700)]
)
def test_payloads_fill_their_packets(mtu: int, fragments: int, size: int) -> None:
    assert ethtool.udp_payload(mtu, fragments) == size
    ip = size + 8  # one byte more needs one packet more
    room = (mtu - 20) // 8 * 8
    needed = 1 + max(0, -(-(ip - (mtu - 20)) // room))
    assert needed == fragments
