"""Mininet's parameters of a link as shapes of the lab's. Pure, and nothing is ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.emulation.docker.run_options import markdown
from lab.emulation.links.link import HEADER, Shape
from lab.errors import TopologyError

UNITS = {
    **dict.fromkeys(("us", "usec", "usecs"), 1e-3),
    **dict.fromkeys(("", "ms", "msec", "msecs"), 1.0),
    **dict.fromkeys(("s", "sec", "secs"), 1e3),
}
#: What a link takes, and what that means.
KNOWN = {
    "bw": "Mbit/s, of any size; counted with Ethernet headers",
    "delay": "one way: `'10ms'`, `'0.5s'`, `'250us'`; a bare number is ms",
    "jitter": "standard deviation of the delay, a time as well; packets keep their order",
    "loss": "percent of the packets, each by its own chance",
    "max_queue_size": "full packets that wait for the rate; needs `bw`",
    "latency_ms": "how long a packet waits for the rate at most; needs `bw`, excludes `max_queue_size`",
    "use_htb": "accepted: the lab's shaper imposes a rate, with either method",
    "use_tbf": "accepted, likewise",
}
#: What it does not take, and why; False and 0 ask for nothing.
REFUSED = {
    "use_hfsc": "the lab's shaper imposes rates; use bw alone",
    "enable_ecn": "queues drop when they are full and mark nothing",
    "enable_red": "queues drop when they are full, never before",
    "speedup": "a rate holds for both directions alike; use params1 and params2 for different ones",
    **dict.fromkeys(
        ("gro", "disable_gro", "txo", "rxo"),
        "offloads are left as the kernel has them; use ethtool in the host",
    ),
}
#: Values that ask for what is there anyhow.
AS_IT_IS = {"txo": True, "rxo": True, "disable_gro": True}


def milliseconds(text: str | float) -> float:
    """``10ms``, ``0.5s``, ``250us`` or a bare number of milliseconds, as milliseconds.

    Raises:
        TopologyError: it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", str(text), re.ASCII)
    if match is None or match[2] not in UNITS:
        raise TopologyError(f"{text!r} is no time; write it like '10ms'")
    return float(match[1]) * UNITS[match[2]]


def is_known(key: str) -> bool:
    """Tell if this is a parameter of shaping, supported or not."""
    return key in KNOWN or key in REFUSED


def changes(params: Mapping[str, Any], mtu: int = 1500) -> dict[str, Any]:
    """Translate what is asked into the lab's parameters: the keys of `lab.topology.impairments.PARAMETERS`.

    Raises:
        TopologyError: a parameter is not supported, or not with this value; says why.
    """
    for key, value in params.items():
        if key in REFUSED and value and value is not AS_IT_IS.get(key):
            raise TopologyError(f"a link with {key}={value!r} is not supported: {REFUSED[key]}")
        if key in AS_IT_IS and value is False:
            raise TopologyError(f"a link with {key}=False is not supported: {REFUSED[key]}")
    asked = {key: value for key, value in params.items() if key in KNOWN and value is not None}
    found: dict[str, Any] = {}
    try:
        if asked.get("bw"):
            found["rate"] = float(asked["bw"])
        if "loss" in asked:
            found["loss"] = float(str(asked["loss"]).rstrip("%"))
    except ValueError as error:
        raise TopologyError(f"bw is a number of Mbit/s, loss one of percent: {error}") from None
    found |= {key: milliseconds(asked[key]) for key in ("delay", "jitter") if key in asked}
    if queue := _queue(asked, mtu):
        found["queue"] = queue
    return found


def _queue(asked: Mapping[str, Any], mtu: int) -> int | None:
    """Bytes that wait for the rate."""
    wanted = [key for key in ("max_queue_size", "latency_ms") if key in asked]
    if not wanted:
        return None
    if not asked.get("bw"):
        raise TopologyError(f"{wanted[0]} says what waits for the rate, and there is none; give bw as well")
    if len(wanted) > 1:
        raise TopologyError("max_queue_size and latency_ms say the same; give one of them")
    if "max_queue_size" in asked:
        return int(asked["max_queue_size"]) * (mtu + HEADER)
    return max(mtu + HEADER, round(float(asked["bw"]) * 1e6 / 8 * float(asked["latency_ms"]) / 1e3))


def shape(params: Mapping[str, Any], mtu: int = 1500) -> Shape:
    """The shape of one direction.

    Raises:
        TopologyError: a parameter is not supported.
        ShaperError: its value is absurd.
    """
    return Shape(mtu=mtu, **changes(params, mtu))


def table() -> str:
    """Write the table of shaping parameters in ``docs/reference/containernet.md``."""
    return markdown("addLink", KNOWN, REFUSED)
