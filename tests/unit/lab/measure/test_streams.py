"""Streams to several sites at once: iperf3's own reports, whole and broken."""

from __future__ import annotations

import json

import pytest

from lab.errors import MeasureError
from lab.measure import streams
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
