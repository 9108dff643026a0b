"""Streams from a server to several clients at once: iperf3 in bursts, and the latency at the same time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from lab.errors import MeasureError
from lab.measure import iperf3, ping

#: A stream: 1 Mbit/s in bursts of ten datagrams (Hermans & de Niet 2016: bursty streams of 1 Mbit/s).
RATE, BURST, DATAGRAM = 1, 10, iperf3.UDP_IPERF2
#: How often each stream's rate is taken (s): least and most of a stream are of these.
INTERVAL = 1.0


def argv(server: str, port: int, seconds: float, workers: int) -> list[str]:
    """Return a client site's request: `workers` streams from the server to it for `seconds` (s)."""
    return [
        *(iperf3.NAME, "-c", server, "-p", str(port), "-J", "-t", f"{seconds:g}", "-i", f"{INTERVAL:g}"),
        *("--connect-timeout", str(iperf3.CONNECT_TIMEOUT)),
        *("-R", "-u", "-P", str(workers), "-b", f"{RATE}M/{BURST}", "-l", str(DATAGRAM)),
    ]


def join_outputs(outputs: Mapping[str, str]) -> str:
    """Join the tools' outputs of one sample, by what they are of, into one text."""
    return json.dumps(outputs, indent=1) + "\n"


def parse(raw: str, latency: str) -> dict[str, float]:
    """Return jitter (ms), loss (%) and bit rates of streams (kbit/s) per client site, and their worst.

    The latency (ms) at the same time is ping's, whose text is under the name `latency`.

    Raises:
        MeasureError: one of the outputs is no measurement.
    """
    try:
        outputs: dict[str, str] = json.loads(raw)
        sites = {name: parse_site(text) for name, text in outputs.items() if name != latency}
        beside = ping.parse(outputs[latency])
    except (ValueError, AttributeError, KeyError):
        raise MeasureError(iperf3.NAME, "left no whole set of outputs of streams", raw) from None
    named = {f"{key} {name}": value for name, found in sites.items() for key, value in found.items()}
    worst = {key: max(found[key] for found in sites.values()) for key in ("jitter_ms", "lost_percent")}
    return {**worst, "latency_ms": beside["mean_ms"], "latency_max_ms": beside["max_ms"], **named}


def parse_site(raw: str) -> dict[str, float]:
    """Means over the streams that arrived at one client site.

    The rates are those of the intervals, which are counted where a stream arrives; the closing figures
    of a stream (``end.streams``) have its sender's.

    Raises:
        MeasureError: iperf3 failed, or a stream got nothing.
    """
    values = iperf3.parse_udp(raw)
    report = json.loads(raw)
    by_stream = _intervals(report)
    longest = max((row["seconds"] for rows in by_stream for row in rows), default=0.0)
    # without the short interval that the end of the test cut off
    whole = [[row["bits_per_second"] for row in rows if row["seconds"] > longest / 2] for rows in by_stream]
    rates = [rates for rates in whole if rates]
    means = [
        sum(row["bytes"] * 8 for row in rows) / sum(row["seconds"] for row in rows) for rows in by_stream
    ]
    streams = [stream["udp"] for stream in report["end"]["streams"]]
    if len(rates) != len(streams) or not all(stream["packets"] for stream in streams):
        raise MeasureError(iperf3.NAME, "has a stream of which nothing arrived", raw)
    return {
        "jitter_ms": fmean(stream["jitter_ms"] for stream in streams),
        "lost_percent": values["lost_percent"],
        "mean_kbps": fmean(means) / 1000,
        "least_kbps": fmean(min(row) for row in rates) / 1000,
        "most_kbps": fmean(max(row) for row in rates) / 1000,
    }


def _intervals(report: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Return per stream its rows of all intervals."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in (row for interval in report.get("intervals", ()) for row in interval["streams"]):
        found.setdefault(row["socket"], []).append(row)
    return list(found.values())
