"""htb, the rate of a link: `tc` commands, and their results read back.

The rate of a direction is an htb class on the port where its packets leave, with a queue of
bytes before it. It is always there, also for a link without a rate (then at `UNLIMITED`), so
that a rate can be changed while packets wait, and every port counts.

Why htb and not tbf: a packet larger than tbf's bucket is cut into segments, each of which
costs a timer and wakes its receiver (at 500 Mbit/s a whole core in place of a quarter); and
one that waits while the bucket is made smaller never leaves, nor does anything behind it.
htb sends it whole and lets the following ones wait for as long as it takes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.emulation.links import netns
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.errors import ShaperError
from lab.hosts.command import RunCommand

#: Mbit/s that no emulated link reaches: it stands for "no rate".
UNLIMITED = 100_000.0
#: Bytes of queue before a rate that nothing reaches: it is never full.
ROOMY = 64 << 20
#: What the rate passes in this time (s) may leave at once: it makes up for timers that come late, by a
#: whole tick of the kernel where it has no finer ones. In virtual time no timer comes late by more than 1 µs.
BURST_SECONDS = (
    1e-5 if Path("/sys/module/lab_time").exists() else max(2e-3, time.clock_getres(time.CLOCK_MONOTONIC))
)
#: tc prints a rate to four digits at least, and knows a bucket as the time (s) in which it fills.
ROUNDING, ROUNDING_SECONDS = 1e-2, 2e-6

_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20}
_CLASS = re.compile(
    r"^class htb 1:([0-9a-f]+) .*?rate (\d+)([KMG]?)bit .*?burst ([\d.]+)([KM]?)b", re.MULTILINE
)


@dataclass(frozen=True)
class Rates:
    """The state that tc shows: disciplines by device and kind, (Mbit/s, bytes of burst) by class."""

    qdiscs: Mapping[tuple[str, str], Mapping[str, Any]]
    classes: Mapping[int, tuple[float, float]]

    def find(self, link: LinkState, direction: str, kind: str) -> Mapping[str, Any]:
        """Return one port's discipline of a kind.

        Raises:
            ShaperError: the port has none: it was taken away.
        """
        port = link.port_out(direction)
        if (port, kind) not in self.qdiscs:
            raise ShaperError(
                f"{link.name} ({direction}): port {port} has no {kind} any more; take the lab down"
            )
        return self.qdiscs[port, kind]


def burst(shape: Shape) -> int:
    """Return the bytes that may leave at once: of `BURST_SECONDS`, and never less than two full packets."""
    return max(2 * shape.packet, round((shape.rate or UNLIMITED) * 1e6 / 8 * BURST_SECONDS))


def queue_limit(shape: Shape) -> int:
    """Return the bytes that may wait for the rate."""
    return shape.queue_bytes if shape.rate else ROOMY


def add_commands(link: LinkState, direction: str, where: str) -> list[str]:
    """Return the `tc` lines that give a direction its rate; `where` is the place on the port (``root``)."""
    port, number = link.port_out(direction), link.direction_number(direction)
    return [
        f"qdisc add dev {port} {where} handle 1: htb default {number:x}",
        *rate_commands("add", link, direction),
    ]


def rate_commands(verb: str, link: LinkState, direction: str) -> list[str]:
    """Return the `tc` lines that ``add`` or ``change`` rate and queue; packets that wait go on waiting."""
    port, number, shape = link.port_out(direction), link.direction_number(direction), link.shape(direction)
    rate, bytes_ = f"{round((shape.rate or UNLIMITED) * 1e3)}kbit", burst(shape)
    speed = f"rate {rate} ceil {rate} burst {bytes_} cburst {bytes_} quantum {shape.packet}"
    return [
        f"class {verb} dev {port} parent 1: classid 1:{number:x} htb {speed}",
        f"qdisc {verb} dev {port} parent 1:{number:x} handle 3: bfifo limit {queue_limit(shape)}",
    ]


def read_rate(rates: Rates, link: LinkState, direction: str) -> tuple[float | None, int | None]:
    """Return the rate (Mbit/s) and the queue (bytes, None when the default) that a direction really has.

    Raises:
        ShaperError: a part is missing, was changed, or is gone round.
    """
    shape, named = link.shape(direction), f"{link.name} ({direction})"
    if passed := rates.find(link, direction, "htb")["options"]["direct_packets_stat"]:
        raise ShaperError(f"{named}: {passed} packets went round its rate; take the lab down")
    limit = rates.find(link, direction, "bfifo")["options"]["limit"]
    number = link.direction_number(direction)
    if number not in rates.classes:
        raise ShaperError(f"{named}: port {link.port_out(direction)} has no rate; take the lab down")
    rate, bucket = rates.classes[number]
    as_asked = abs(rate - (shape.rate or UNLIMITED)) <= ROUNDING * rate
    slack = max(ROUNDING * bucket, rate * 1e6 / 8 * ROUNDING_SECONDS)
    if as_asked and abs(bucket - burst(shape)) > slack:
        raise ShaperError(f"{named}: burst was set to {burst(shape)} bytes and reads back as {bucket:g}")
    return None if rate == UNLIMITED else rate, shape.queue if limit == queue_limit(shape) else limit


def overflow(rates: Rates, link: LinkState, direction: str) -> int:
    """Return the packets dropped because the queue before the rate was full."""
    return int(rates.find(link, direction, "bfifo")["drops"])


async def show(lab_namespace: str, links: Sequence[LinkState], run: RunCommand) -> Rates:
    """Ask the kernel about the ports of links, with its counters."""
    qdiscs = await run(netns.inside(lab_namespace, ["tc", "-j", "-s", "qdisc", "show"]))
    ports = [f"class show dev {link.port_out(d)}" for link in links for d in DIRECTIONS]
    batch = netns.inside(lab_namespace, ["tc", "-batch", "-"])
    classes = await run(batch, stdin=netns.script(ports))
    return parse(qdiscs.stdout, classes.stdout)


def parse(qdiscs: str, classes: str) -> Rates:
    """Read what ``tc -j -s qdisc show`` and ``tc class show`` printed."""
    disciplines = {(entry["dev"], entry["kind"]): entry for entry in json.loads(qdiscs or "[]")}
    rates = {
        int(number, 16): (int(rate) * _UNITS[unit] / 1e6, float(size) * _SIZES[sized])
        for number, rate, unit, size, sized in _CLASS.findall(classes)
    }
    return Rates(disciplines, rates)
