"""`tc` commands and what `tc -j` says, for the queueing disciplines at a lab's ports.

The rate of a direction is a token bucket (tbf) on the port where its packets leave. It is
always there, also for a link without a rate (then at `UNLIMITED`): so a rate can be changed
while packets wait, and every port counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lab.emulation import namespaces
from lab.emulation.shape import Line, Shape
from lab.errors import ShaperError
from lab.hosts.process import Run

#: Mbit/s that no emulated link reaches: it stands for "no rate".
UNLIMITED = 100_000.0
#: What the rate passes in this time (s) may leave at once. TCP makes GSO packets of what its pacing sends
#: in about 1 ms; a bucket that they do not fit into cuts them, and every packet then costs a timer and
#: wakes its receiver: at 500 Mbit/s a whole core in place of a quarter. A larger bucket only lets bursts
#: pass faster than the rate.
BURST_SECONDS = 2e-3
#: Asked and got differ by rounding only: tc counts a bucket in ticks of 64 ns.
ROUNDING = 0.01

Qdiscs = Mapping[tuple[str, str], Mapping[str, Any]]


def burst(shape: Shape) -> int:
    """Bytes that may leave at once: what the rate passes in 2 ms, and never less than two full packets."""
    rate = (shape.rate or UNLIMITED) * 1e6 / 8
    return max(2 * shape.packet, round(rate * BURST_SECONDS))


def tbf(verb: str, port: str, where: str, shape: Shape) -> str:
    """The `tc` line that adds or changes a direction's rate; `where` is its place (``root handle 1:``)."""
    rate = round((shape.rate or UNLIMITED) * 1e6)
    limit = shape.queue_bytes + burst(shape)
    return f"qdisc {verb} dev {port} {where} tbf rate {rate}bit burst {burst(shape)} limit {limit}"


def rate_of(entry: Mapping[str, Any], asked: Shape) -> tuple[float | None, int]:
    """Rate (Mbit/s) and queue (bytes) that a tbf really has.

    Raises:
        ShaperError: its bucket is not the one for this rate.
    """
    options = entry["options"]
    if abs(options["burst"] - burst(asked)) > ROUNDING * burst(asked):
        raise ShaperError(
            f"{entry['dev']}: burst was set to {burst(asked)} and reads back as {options['burst']}"
        )
    rate = options["rate"] * 8 / 1e6
    return None if rate == UNLIMITED else rate, options["limit"] - burst(asked)


async def show(lab_namespace: str, run: Run) -> Qdiscs:
    """Every queueing discipline of a lab's namespace by device and kind, with its counters."""
    argv = namespaces.inside(lab_namespace, ["tc", "-j", "-r", "-s", "qdisc", "show"])
    return parse((await run(argv)).stdout)


def parse(text: str) -> Qdiscs:
    """What ``tc -j qdisc show`` printed, by device and kind."""
    return {(entry["dev"], entry["kind"]): entry for entry in json.loads(text or "[]")}


def find(qdiscs: Qdiscs, line: Line, direction: str, kind: str) -> Mapping[str, Any]:
    """One port's discipline of a kind.

    Raises:
        ShaperError: the port has none: it was taken away.
    """
    port = line.port_out(direction)
    if (port, kind) not in qdiscs:
        raise ShaperError(f"{line.name} ({direction}): port {port} has no {kind} any more; take the lab down")
    return qdiscs[port, kind]


async def carry_out(lab_namespace: str, lines: Sequence[str], run: Run) -> None:
    """Run `tc` commands in a lab's namespace, in one process.

    Raises:
        CommandError: one of them failed.
    """
    if lines:
        await run(namespaces.tc_batch(lab_namespace), stdin=namespaces.script(lines))
