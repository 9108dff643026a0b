"""Requests to the wire's process; shapes and counters from its status, the rules and the rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from lab.emulation.links import htb
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.wire import iptables
from lab.errors import ShaperError
from lab.measure.link_counters import Counters


def request(links: Iterable[LinkState], lead: int) -> dict[str, Any]:
    """Build the request that sets every queue; each packet leaves `lead` (ns) before its time."""
    queues = []
    for link, d in ((link, d) for link in links for d in DIRECTIONS):
        delay, shape = round(link.imposed_delay(d) * 1e6), link.shape(d)
        row = (link.direction_number(d), delay, link.port_out(d), shape.held, variation(shape))
        queues.append(row)
    return {"do": "set", "queues": queues, "lead": lead}


def variation(shape: Shape) -> dict[str, Any]:
    """Return what chance does to single packets (see `links.jitter`); empty where all are treated alike."""
    asked: dict[str, Any] = {}
    if shape.jitter:
        asked |= {"jitter": round(shape.jitter * 1e6), "distribution": shape.distribution}
    if shape.gilbert:
        asked["begins"], asked["ends"] = shape.gilbert
    if shape.reorder:
        asked["reorder"] = shape.reorder / 100
    return asked


def read_shape(
    link: LinkState,
    direction: str,
    status: Mapping[str, Any],
    rates: htb.Rates,
    tables: Sequence[iptables.Rules],
) -> Shape:
    """Return what a direction of a link reads back as.

    Raises:
        ShaperError: a part of it is missing.
    """
    port, number = link.port_in(direction), link.direction_number(direction)
    named = f"{link.name} ({direction})"
    loss = tables[0].loss.get(port)
    for table in tables:
        found = (table.policy, table.others, table.queues.get(port), table.loss.get(port))
        if found != ("DROP", (), number, loss):
            raise ShaperError(f"{named}: its packet filter was changed; take the lab down")
    queue = status["queues"].get(str(number))
    if queue is None or "held" not in queue:
        raise ShaperError(f"{named}: the wire does not hold its packets; take the lab down")
    asked, (rate, room) = link.shape(direction), htb.read_rate(rates, link, direction)
    if queue["room"] != asked.held:
        raise ShaperError(f"{named}: the wire was set to hold {queue['room']} packets")
    varied = queue["vary"]
    ends = varied.get("ends")
    lost = 100 * varied["begins"] / (varied["begins"] + ends) if ends else loss or 0.0
    return Shape(
        delay=max(0.0, link.resulting_delay(direction, queue["delay"] / 1e6)),
        rate=rate,
        loss=lost,
        burst=1 / ends if ends else None,
        jitter=varied.get("jitter", 0) / 1e6,
        distribution=varied.get("distribution", asked.distribution),
        reorder=100 * varied.get("reorder", 0.0),
        queue=room,
        mtu=asked.mtu,
    )


def read_counters(link: LinkState, direction: str, status: Mapping[str, Any], rates: htb.Rates) -> Counters:
    """Return what happened in a direction, from the wire's status and the port's rate."""
    queue = status["queues"][str(link.direction_number(direction))]
    port = rates.find(link, direction, "htb")
    bounds = [*(edge / 1e6 for edge in status["edges"]), inf]
    return Counters(
        packets=port["packets"],
        bytes=port["bytes"],
        overflow=htb.overflow(rates, link, direction),
        unexpected=queue.get("full", 0) + queue.get("lost", 0),
        lateness=quantiles(queue["lateness"], status["edges"], queue["latest"]),
        late_counts=dict(zip(bounds, queue["lateness"], strict=True)),
        late_ms=queue["late"] / 1e6,
    )


def quantiles(counts: Sequence[int], edges: Sequence[int], latest: int) -> dict[str, float]:
    """Return lateness (ms): the largest, and upper bounds of the classes of median and 99th percentile."""
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
