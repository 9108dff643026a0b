"""What is told to the wire's process, and what its status, the rules and the rates say of a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from lab.emulation.links import htb
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.links.shaper import Counters
from lab.emulation.wire import iptables
from lab.errors import ShaperError


def request(lines: Sequence[LinkState], lead: int) -> dict[str, Any]:
    """What to tell the wire's process: every queue with all about it; `lead` is how much earlier (ns)."""
    queues = [
        (
            iptables.queue_number(line, d),
            round(line.imposed(d) * 1e6),
            line.port_out(d),
            line.shape(d).held,
            vary(line.shape(d)),
        )
        for line in lines
        for d in DIRECTIONS
    ]
    return {"do": "set", "queues": queues, "lead": lead}


def vary(shape: Shape) -> dict[str, Any]:
    """What the process does to single packets, in its own words; empty where all are treated alike."""
    asked: dict[str, Any] = {}
    if shape.jitter:
        asked |= {"jitter": round(shape.jitter * 1e6), "distribution": shape.distribution}
    if shape.gilbert:
        asked["begins"], asked["ends"] = shape.gilbert
    if shape.reorder:
        asked["reorder"] = shape.reorder / 100
    return asked


def shape(
    line: LinkState,
    direction: str,
    status: Mapping[str, Any],
    rates: htb.Rates,
    tables: Sequence[iptables.Rules],
) -> Shape:
    """What a direction of a link reads back as.

    Raises:
        ShaperError: a part of it is missing.
    """
    port, number = line.port_in(direction), iptables.queue_number(line, direction)
    for table in tables:
        if table.policy != "DROP" or table.others or table.queues.get(port) != number:
            raise ShaperError(f"{line.name} ({direction}): its packet filter was changed; take the lab down")
    if any(table.loss.get(port) != tables[0].loss.get(port) for table in tables):
        raise ShaperError(f"{line.name} ({direction}): its packet filter was changed; take the lab down")
    queue = status["queues"].get(str(number))
    if queue is None or "held" not in queue:
        raise ShaperError(f"{line.name} ({direction}): the wire does not hold its packets; take the lab down")
    asked, (rate, room) = line.shape(direction), htb.rate_of(rates, line, direction)
    if queue["room"] != asked.held:
        raise ShaperError(f"{line.name} ({direction}): the wire was set to hold {queue['room']} packets")
    varied = queue["vary"]
    ends = varied.get("ends")
    lost = 100 * varied["begins"] / (varied["begins"] + ends) if ends else tables[0].loss.get(port, 0.0)
    return Shape(
        delay=max(0.0, line.seen(direction, queue["delay"] / 1e6)),
        rate=rate,
        loss=lost,
        burst=1 / ends if ends else None,
        jitter=varied.get("jitter", 0) / 1e6,
        distribution=varied.get("distribution", asked.distribution),
        reorder=100 * varied.get("reorder", 0.0),
        queue=room,
        mtu=asked.mtu,
    )


def count(line: LinkState, direction: str, status: Mapping[str, Any], rates: htb.Rates) -> Counters:
    """What happened in a direction, from the wire's status and the port's rate."""
    queue = status["queues"][str(iptables.queue_number(line, direction))]
    port = rates.find(line, direction, "htb")
    bounds = [*(edge / 1e6 for edge in status["edges"]), inf]
    return Counters(
        packets=port["packets"],
        bytes=port["bytes"],
        overflow=htb.overflow(rates, line, direction),
        unasked=queue.get("full", 0) + queue.get("lost", 0),
        lateness=quantiles(queue["lateness"], status["edges"], queue["latest"]),
        late_counts=dict(zip(bounds, queue["lateness"], strict=True)),
        late_ms=queue["late"] / 1e6,
    )


def quantiles(counts: Sequence[int], edges: Sequence[int], latest: int) -> dict[str, float]:
    """Lateness in ms: the largest, and upper bounds of the classes of the median and the 99th percentile."""
    total = sum(counts)
    if not total:
        return {}
    bounds = [*edges, latest]
    found = {"max": latest / 1e6}
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        seen = 0
        for number, bound in zip(counts, bounds, strict=True):
            seen += number
            if seen >= part * total:
                found[name] = min(bound, latest) / 1e6
                break
    return found
