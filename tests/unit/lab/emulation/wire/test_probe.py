"""The packets with which a wire is tried. No root."""

from __future__ import annotations

from lab.emulation.links import icmp
from lab.emulation.wire import probe


def test_a_trial_packet_is_a_valid_one() -> None:
    head = probe.frame(7)[14:34]

    assert icmp.checksum(head) == 0
    assert int.from_bytes(head[2:4]) == len(probe.frame(7)) - 14
