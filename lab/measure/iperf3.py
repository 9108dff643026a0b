"""iperf3: TCP and UDP throughput. Builders of its argv, and parsers of its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.errors import MeasureError

NAME = "iperf3"
PORT = 5201
SERVER = (NAME, "-s")
#: How long a client waits for its server to answer (ms); the chain's round trip is 161 ms.
CONNECT_TIMEOUT = 5000
#: What the 2016 study offered in every UDP measurement (Mbit/s): ``iperf3 -u -b 1000M``.
UDP_OFFERED = 1000
#: Bytes of data in a datagram: iperf3's own choice until version 3.1.4, so that of 2016 (later
#: ones take what fits into one packet), and that of iperf 2, which Hermans & de Niet used.
UDP_2016, UDP_IPERF2 = 8192, 1470


def tcp_argv(
    address: str,
    seconds: float,
    omit: float = 0.0,
    *,
    window: int | None = None,
    congestion: str | None = None,
) -> list[str]:
    """One TCP stream for `seconds` (s), after `omit` seconds whose figures are left out.

    `window` (bytes) sets the socket buffers at both ends, `congestion` the sender's control.
    """
    argv = [*_client(address, seconds), *(["-O", f"{omit:g}"] if omit else [])]
    argv += ["-w", str(window)] if window else []
    return [*argv, *(["-C", congestion] if congestion else [])]


def udp_argv(
    address: str, seconds: float, offered: float = UDP_OFFERED, *, datagram: int | None = None
) -> list[str]:
    """Datagrams at `offered` Mbit/s for `seconds` (s), each with `datagram` bytes of data."""
    size = ["-l", str(datagram)] if datagram else []
    return [*_client(address, seconds), "-u", "-b", f"{offered:g}M", *size]


def _client(address: str, seconds: float) -> list[str]:
    return [NAME, "-c", address, "-J", "-t", f"{seconds:g}", "--connect-timeout", str(CONNECT_TIMEOUT)]


def parse_tcp(raw: str) -> dict[str, float]:
    """Sent and received throughput (Mbit/s), retransmitted segments, and the sender's mean RTT (ms).

    Raises:
        MeasureError: iperf3 said that it failed, or the text is no whole report of a TCP test.
    """
    end = _end(raw, "TCP")
    sender = _get(end, raw, "streams", 0, "sender")
    return {
        "sent_mbps": _mbps(end, raw, "sum_sent"),
        "received_mbps": _mbps(end, raw, "sum_received"),
        "retransmits": _number(end, raw, "sum_sent", "retransmits"),
        "mean_rtt_ms": _number(sender, raw, "mean_rtt") / 1000,
    }


def parse_udp(raw: str) -> dict[str, float]:
    """What the sender sent and what the receiver got (Mbit/s), loss (%), jitter (ms), bytes a datagram.

    The 2016 scripts plotted ``end.sum``, which is the sender's view; it is `sent_mbps` here.
    Where not one datagram arrived whole, all are lost and there is no jitter: iperf3 counts
    losses by the numbers of those that arrive, and then reports 0 % of 0.

    Raises:
        MeasureError: iperf3 said that it failed, or the text is no whole report of a UDP test.
    """
    end = _end(raw, "UDP")
    values = {
        "sent_mbps": _mbps(end, raw, "sum_sent"),
        "received_mbps": _mbps(end, raw, "sum_received"),
        "lost_percent": _number(end, raw, "sum_received", "lost_percent"),
        "jitter_ms": _number(end, raw, "sum_received", "jitter_ms"),
        "datagram_bytes": _number(_report(raw), raw, "start", "test_start", "blksize"),
    }
    if _number(end, raw, "sum_received", "packets") <= 0:
        del values["jitter_ms"]
        values["lost_percent"] = 100.0
    return values


def facts(raw: str) -> dict[str, str]:
    """Words about a good run: version, and the congestion control at both ends (TCP only)."""
    report = _report(raw)
    said = {"version": str(report.get("start", {}).get("version", ""))}
    for key in ("sender_tcp_congestion", "receiver_tcp_congestion"):
        if key in report.get("end", {}):
            said[key] = str(report["end"][key])
    return said


def _end(raw: str, protocol: str) -> Mapping[str, Any]:
    report = _report(raw)
    ran = _get(report, raw, "start", "test_start", "protocol")
    if ran != protocol:
        raise MeasureError(NAME, f"ran a {ran} test where {protocol} was asked", raw)
    end = _get(report, raw, "end")
    if not isinstance(end, Mapping) or not end:
        raise MeasureError(NAME, "ended without its closing figures", raw)
    return end


def _report(raw: str) -> dict[str, Any]:
    try:
        report = json.loads(raw)
    except ValueError as error:
        first = raw.strip().split("\n", 1)[0]
        if first and "{" in raw and not first.startswith("{"):
            raise MeasureError(NAME, f"printed {first[:200]!r} into its JSON report", raw) from None
        if first and "{" not in raw:
            raise MeasureError(NAME, f"printed no JSON report, but {first[:200]!r}", raw) from None
        raise MeasureError(NAME, f"printed no whole JSON report ({error}); see the raw output", raw) from None
    if not isinstance(report, dict):
        raise MeasureError(NAME, "printed JSON that is no report", raw)
    if "error" in report:
        raise MeasureError(NAME, f"said {str(report['error']).removeprefix('error - ')!r}", raw)
    return report


def _get(report: Any, raw: str, *path: str | int) -> Any:
    for step in path:
        try:
            report = report[step]
        except (KeyError, IndexError, TypeError):
            where = ".".join(map(str, path))
            raise MeasureError(NAME, f"left {where!r} out of its report", raw) from None
    return report


def _number(report: Any, raw: str, *path: str | int) -> float:
    value = _get(report, raw, *path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MeasureError(NAME, f"has {value!r} for {'.'.join(map(str, path))!r}, which is no number", raw)
    return float(value)


def _mbps(end: Any, raw: str, view: str) -> float:
    return _number(end, raw, view, "bits_per_second") / 1e6
