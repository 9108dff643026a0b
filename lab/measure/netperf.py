"""netperf: round-trip latency of one small UDP request and its response, one at a time."""

from __future__ import annotations

import re

from lab.errors import MeasureError

NAME = "netperf"
PORT = 12865
SERVER = ("netserver", "-D")
#: What is asked of netperf (its names, times in µs of a round trip), and what it is called here.
OUTPUT = {
    "min_latency": "min_ms",
    "mean_latency": "mean_ms",
    "p50_latency": "median_ms",
    "p99_latency": "p99_ms",
    "max_latency": "max_ms",
    "stddev_latency": "stddev_ms",
    "transaction_rate": "transactions_per_s",
    "elapsed_time": "elapsed_s",
}
#: How much of a test may pass without a transaction: the one that its end cut off, and this (ms).
SLACK_MS = 50.0


def latency_argv(address: str, seconds: float) -> list[str]:
    """Requests and responses for `seconds` (s), one under way at a time.

    The study printed a table (``-O mean_latency``); ``-k`` prints the same figures as
    KEY=VALUE, where no column can be mistaken for its neighbour.
    """
    return [NAME, "-l", f"{seconds:g}", "-H", address, "-t", "UDP_RR", "--", "-k", ",".join(OUTPUT)]


def parse_latency(raw: str) -> dict[str, float]:
    """Round-trip times in ms, and transactions per second.

    Raises:
        MeasureError: netperf failed, left a figure out, got no answer, or lost one on the way. It
            exits with status 0 in the last two cases: it waits for a lost answer until its time is up.
    """
    found = dict(re.findall(r"^([A-Z0-9_]+)=(\S*)[ \t]*\n", raw, re.MULTILINE))
    values = {}
    for theirs, ours in OUTPUT.items():
        values[ours] = _number(found.get(theirs.upper()), theirs, raw) / (1000 if ours.endswith("_ms") else 1)
    if values["transactions_per_s"] <= 0 or values["mean_ms"] <= 0:
        raise MeasureError(NAME, "got not one answer; see whether UDP passes between the endpoints", raw)
    elapsed_ms = values["elapsed_s"] * 1000
    idle = elapsed_ms * (1 - values["transactions_per_s"] * values["mean_ms"] / 1000)
    if idle > 2 * values["max_ms"] + SLACK_MS:
        reason = f"lost a datagram and measured nothing in the last {idle:.0f} ms of {elapsed_ms:.0f}"
        raise MeasureError(NAME, reason, raw)
    return values


def _number(text: str | None, name: str, raw: str) -> float:
    if text is None:
        said = (raw.strip() or "nothing").splitlines()[-1][:300]
        raise MeasureError(NAME, f"printed no {name}; the end of its output: {said}", raw)
    try:
        value = float(text)
    except ValueError:
        raise MeasureError(NAME, f"has {text!r} for {name}, which is no number", raw) from None
    if not 0 <= value < float("inf"):
        raise MeasureError(NAME, f"has {text!r} for {name}, which no measurement gives", raw)
    return value
