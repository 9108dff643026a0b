"""Streams to several sites at once: iperf3's own reports, whole and broken."""

from __future__ import annotations

import json

import pytest

from lab.errors import MeasureError
from lab.measure import ethtool, ping, streams
from tests.paths import FIXTURES

OUTPUTS = FIXTURES
STREAM = (OUTPUTS / "iperf3/stream.json").read_text()
LATENCY = (OUTPUTS / "ping/summary.txt").read_text()


def test_a_site_has_the_means_of_its_streams() -> None:
    values = streams.parse_site(STREAM)
    report = json.loads(STREAM)["end"]["streams"]
    assert values["jitter_ms"] == pytest.approx(sum(s["udp"]["jitter_ms"] for s in report) / 3)
    assert values["least_kbps"] < values["mean_kbps"] < values["most_kbps"]
    assert 900 < values["mean_kbps"] < 1100, "streams of 1 Mbit/s"


def test_a_rate_is_of_what_arrived_and_not_of_what_was_sent() -> None:
    report = json.loads(STREAM)
    for interval in report["intervals"]:
        for stream in interval["streams"]:
            stream["bytes"] //= 2
    halved = streams.parse_site(json.dumps(report))
    assert halved["mean_kbps"] == pytest.approx(streams.parse_site(STREAM)["mean_kbps"] / 2, rel=1e-3)


def test_ping_has_round_trips_and_losses_and_without_an_answer_is_no_measurement() -> None:
    assert ping.parse(LATENCY) == {"mean_ms": 0.043, "max_ms": 0.176, "lost_percent": 0.0}
    assert ping.argv("192.0.2.1", 5)[-3:] == ["-c", "50", "192.0.2.1"]
    with pytest.raises(MeasureError, match="got not one answer"):
        ping.parse((OUTPUTS / "ping/no-answer.txt").read_text())
    with pytest.raises(MeasureError, match="no summary; its last words: ping: connect: Network is unreach"):
        ping.parse("ping: connect: Network is unreachable\n")


def test_the_worst_site_stands_for_all() -> None:
    report = json.loads(STREAM)
    worse = json.loads(json.dumps(report).replace('"lost_packets": 0', '"lost_packets": 75'))
    raw = streams.join_outputs({"AMS": json.dumps(report), "MIL": json.dumps(worse), "latency": LATENCY})
    values = streams.parse(raw, "latency")
    assert values["lost_percent AMS"] == 0
    assert values["lost_percent"] == values["lost_percent MIL"] == pytest.approx(10)  # 75 of 750
    assert values["latency_ms"] > 0


@pytest.mark.parametrize(
    "outputs",
    [
        {"AMS": STREAM},
        {"AMS": STREAM[:900], "latency": LATENCY},
        {"AMS": (OUTPUTS / "iperf3/server-busy.json").read_text(), "latency": LATENCY},
        {"AMS": json.dumps(json.loads(STREAM) | {"intervals": []}), "latency": LATENCY},
    ],
)
def test_anything_less_is_an_error_and_never_a_zero(outputs: dict[str, str]) -> None:
    with pytest.raises(MeasureError):
        streams.parse(streams.join_outputs(outputs), "latency")


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
