"""Throughput in words."""

from __future__ import annotations

from lab.containernet.ping_iperf import _rate


def test_throughput_is_said_as_iperf_says_it() -> None:
    assert _rate(9.55e6) == "9.55 Mbits/sec"
    assert _rate(2.5e9) == "2.5 Gbits/sec"
    assert _rate(9.55e6, "k") == "9.55e+03 Kbits/sec"
