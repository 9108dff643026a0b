"""iperf3: TCP and UDP throughput. Builders of its argv, and parsers of its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lab.errors import MeasureError

NAME = "iperf3"
PORT = 5201
#: The receiver's own report, in JSON, is asked for by `udp_argv`.
SERVER = (NAME, "-s", "-J")
#: How long a client waits for its server to answer (ms); the chain's round trip is 161 ms.
CONNECT_TIMEOUT = 5000
#: What the 2016 study offered in every UDP measurement (Mbit/s), its ports' rate: ``iperf3 -u -b 1000M``.
UDP_OFFERED = 1000
#: Bytes of data in a datagram: iperf3's own choice until version 3.1.4, so that of 2016 (later
#: ones take what fits into one packet), and that of iperf 2, which Hermans & de Niet used.
UDP_2016, UDP_IPERF2 = 8192, 1470
#: What a receiver counts in each of its seconds.
COUNTED = ("bytes", "packets", "lost_packets")
#: Words of errors of iperf3 that are about a host or the tool, and not about what went over the network.
NO_TRAFFIC = ("unable to set", "not set correctly", "not supported", "busy running", "interrupt")
#: A server that still ends the test before resets the next client: an answer, so the network carries traffic.
RESET = "Connection reset by peer"
#: How far (s) the last of them may reach over the end, as the two ends' clocks do not begin together.
EDGE = 0.1


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
    argv = [*_client(address, seconds, omit), "--get-server-output"]
    argv += ["-w", str(window)] if window else []
    return argv + (["-C", congestion] if congestion else [])


def udp_argv(
    address: str,
    seconds: float,
    omit: float = 0.0,
    *,
    offered: float = UDP_OFFERED,
    datagram: int | None = None,
) -> list[str]:
    """Datagrams at `offered` Mbit/s, each with `datagram` bytes of data, for times as in `tcp_argv`.

    The receiver counts from when the sender says that it begins, so without `omit` the time that the
    first datagram is under way is among the seconds in which nothing arrives.
    """
    argv = [*_client(address, seconds, omit), "--get-server-output", "-u", "-b", f"{offered:g}M"]
    return argv + (["-l", str(datagram)] if datagram else [])


def _client(address: str, seconds: float, omit: float) -> list[str]:
    argv = [NAME, "-c", address, "-J", "-t", f"{seconds:g}", "--connect-timeout", str(CONNECT_TIMEOUT)]
    return argv + (["-O", f"{omit:g}"] if omit else [])


def parse_tcp(raw: str) -> dict[str, float]:
    """Return sent and received throughput (Mbit/s), retransmissions, and the sender's mean RTT (ms).

    What was received is told by the receiver's own seconds, if the report has them (`_arrived`): the sum has
    the bytes that stood in a queue at the end, and not their time, which made 48.1 Mbit/s of a link of 50
    that carries 47.8.

    Raises:
        MeasureError: iperf3 said that it failed, or the text is no whole report of a TCP test.
    """
    end = _end(raw, "TCP")
    sender = _get(end, raw, "streams", 0, "sender")
    arrived = _arrived(_report(raw), raw, ("bytes",))
    return {
        "sent_mbps": _mbps(end, raw, "sum_sent"),
        "received_mbps": arrived["bytes"] * 8e-6 / arrived["seconds"]
        if arrived
        else _mbps(end, raw, "sum_received"),
        "retransmits": _number(end, raw, "sum_sent", "retransmits"),
        "mean_rtt_ms": _number(sender, raw, "mean_rtt") / 1000,
    }


def parse_udp(raw: str) -> dict[str, float]:
    """Return sent and received throughput (Mbit/s), loss (%), jitter (ms), bytes a datagram.

    The 2016 scripts plotted ``end.sum``, which is the sender's view; it is `sent_mbps` here.
    What arrived is told by the receiver's own seconds, if the report has them (`_arrived`).
    Where not one datagram arrived whole, all are lost and there is no jitter: iperf3 counts
    losses by the numbers of those that arrive, and then reports 0 % of 0.

    Raises:
        MeasureError: iperf3 said that it failed, or the text is no whole report of a UDP test.
    """
    end, report = _end(raw, "UDP"), _report(raw)
    arrived = _arrived(report, raw, COUNTED) or {
        key: _number(end, raw, "sum_received", key) for key in (*COUNTED, "seconds")
    }
    values = {
        "sent_mbps": _mbps(end, raw, "sum_sent"),
        "received_mbps": arrived["bytes"] * 8e-6 / arrived["seconds"],
        "lost_percent": 100 * arrived["lost_packets"] / max(arrived["packets"], 1),
        "jitter_ms": _number(end, raw, "sum_received", "jitter_ms"),
        "datagram_bytes": _number(report, raw, "start", "test_start", "blksize"),
    }
    if arrived["packets"] <= 0:
        del values["jitter_ms"]
        values["lost_percent"] = 100.0
    return values


def _arrived(report: Mapping[str, Any], raw: str, counted: Sequence[str]) -> dict[str, float]:
    """The receiver's counts of its seconds while something was to arrive; {} where the report has none.

    The sum at the end of the report goes on until the sender's word of the end has arrived, which has to pass
    the queue that the datagrams filled, and may be lost there once or twice: up to half a second in which
    nothing arrives. And its losses are those of the omitted seconds too.

    How long they took is the end of the last of them, not the sum of their own "seconds": where the omitted
    time ends a moment before a second does, iperf3 gives the next one the seconds of both, and bytes of one.
    """
    asked = _get(report, raw, "start", "test_start")
    until = _number(asked, raw, "duration") + EDGE
    intervals = report.get("server_output_json", {}).get("intervals", [])
    rows = [_get(interval, raw, "streams", 0) for interval in intervals]
    rows = [row for row in rows if not row.get("omitted")]
    whole = [row for row in rows if _number(row, raw, "end") <= until]
    rows = whole or rows[:1]
    if not rows:
        return {}
    return {
        **{key: sum(_number(row, raw, key) for row in rows) for key in counted},
        "seconds": _number(rows[-1], raw, "end"),
    }


def facts(raw: str) -> dict[str, str]:
    """Return facts about a good run: version, and the congestion control at both ends (TCP only)."""
    report = _report(raw)
    found = {"version": str(report.get("start", {}).get("version", ""))}
    for key in ("sender_tcp_congestion", "receiver_tcp_congestion"):
        if key in report.get("end", {}):
            found[key] = str(report["end"][key])
    return found


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
        said = str(report["error"]).removeprefix("error - ")
        start = report.get("start")
        begun = isinstance(start, dict) and bool(start.get("connected"))
        traffic = not any(words in said for words in NO_TRAFFIC) and (begun or RESET not in said)
        raise MeasureError(NAME, f"said {said!r}", raw, traffic=traffic)
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
